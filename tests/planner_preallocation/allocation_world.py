"""A tiny model with skewed routing and prompts that stick to topics, on a stated machine."""

from __future__ import annotations

import numpy as np

from remoe_planner.architecture import Architecture
from remoe_planner.demand.routing import Routing
from remoe_planner.hardware.curve import Curve
from remoe_planner.hardware.expert_time import ExpertTime
from remoe_planner.hardware.profile import CallTime, HardwareProfile, StartTime
from remoe_planner.memory import GIB, MIB, MemoryModel
from remoe_planner.offerings import MemoryGrid, Offerings
from remoe_planner.preallocation.bound import Promise
from remoe_planner.preallocation.choice import token_bounds
from remoe_planner.preallocation.sets import use_order

LAYERS, EXPERTS, TOP_K = 3, 8, 2


def architecture(**changes):
    values = {
        "name": "tiny",
        "revision": "r",
        "layers": tuple(range(LAYERS)),
        "experts_per_layer": EXPERTS,
        "top_k": TOP_K,
        "hidden_size": 64,
        "expert_bytes": 20 * MIB,
        "main_bytes": 100 * MIB,
    }
    return Architecture(**(values | changes))


def prompts(count, *, seed=0, alike=20.0, longest=300):
    """Counts [n, layers, experts] and lengths; small `alike` makes tokens of a prompt alike."""
    rng = np.random.default_rng(seed)
    base = np.sort(np.random.default_rng(7).dirichlet(np.full(EXPERTS, 0.7), LAYERS), axis=1)
    lengths = np.exp(rng.uniform(np.log(4), np.log(longest), count)).astype(np.uint32)
    counts = np.zeros((count, LAYERS, EXPERTS), np.uint32)
    for i, length in enumerate(lengths):
        for layer in range(LAYERS):
            own = rng.dirichlet(base[layer] * alike + 1e-3)
            counts[i, layer] = draws(rng, own, int(length))
    return counts, lengths


def draws(rng, shares, tokens):
    """Counts of tokens that each pick top-k different experts (Gumbel's top-k)."""
    noise = rng.gumbel(size=(tokens, EXPERTS)) + np.log(shares + 1e-12)
    picked = np.argpartition(-noise, TOP_K, axis=1)[:, :TOP_K]
    return np.bincount(picked.ravel(), minlength=EXPERTS)


def routing(counts, lengths):
    total = counts.sum(axis=0, dtype=float)
    shares = total / total.sum(axis=1, keepdims=True)
    return Routing(prefill=shares, decode=shares, samples=counts, sample_tokens=lengths)


def bounds(bound, seen, **promise):
    return token_bounds(
        bound,
        seen,
        shares=seen.prefill,
        order=use_order(seen.prefill, seen.decode),
        top_k=TOP_K,
        promise=Promise(**promise),
    )


def profile(**changes):
    local = Curve(rows=(1, 64), seconds=(0.001, 0.005))
    remote = Curve(rows=(1, 64), seconds=(0.002, 0.020))
    values = {
        "name": "stated",
        "source": "a test",
        "measured": False,
        "module": Curve(rows=(1, 256), seconds=(0.001, 0.01)),
        "step": Curve.constant(0.001),
        "local_expert": ExpertTime.on_one_core(local),
        "remote_expert": ExpertTime.on_one_core(remote),
        "call": CallTime(mean_seconds=0.002, deviation_seconds=0.001, main_seconds=0.0002),
        "main_start": StartTime(seconds=1.0, bytes_per_second=1e9),
        "function_start": StartTime(seconds=0.5, bytes_per_second=1e9),
    }
    return HardwareProfile(**(values | changes))


def offerings(**changes):
    values = {
        "function_memory": MemoryGrid(least_bytes=100 * MIB, most_bytes=GIB),
        "main_memory": MemoryGrid(least_bytes=200 * MIB, most_bytes=4 * GIB),
        "memory": MemoryModel(main_working_bytes=100 * MIB, function_working_bytes=10 * MIB),
    }
    return Offerings(**(values | changes))
