"""The way to the first token: a prompt's passes, chunk by chunk, and the functions' part in it."""

from __future__ import annotations

import numpy as np

from remoe_planner.estimating.decoding import (
    BETWEEN_PASSES,
    FRONT_DOOR,
    Step,
    remote_seconds,
    row_bytes_of,
    slowest,
)
from remoe_planner.estimating.given import PromptWork
from remoe_planner.estimating.placed import Bools, Floats, Placed
from remoe_planner.hardware.profile import HardwareProfile
from remoe_planner.latency.prefill import (
    context_seconds,
    module_seconds,
    pass_seconds,
)
from remoe_planner.latency.together import together


def prefill(
    placed: Placed,
    profile: HardwareProfile,
    asked: PromptWork,
    *,
    payload_bytes: int | None = None,
    asleep: Bools | None = None,
) -> Step:
    """A whole prompt (eqs. 1 to 3), as if it were one long step.

    Args:
        placed: the plan.
        profile: the machine.
        asked: what the prompt asks of every expert.
        payload_bytes: token rows in one call at most.
        asleep: bool [functions], those whose experts the main model computes itself.
    """
    layers, chunks, prompt_tokens = len(asked.rows), asked.chunks, asked.tokens
    here = placed.homes == 0
    tasks = remote_seconds(placed, asked)
    if asleep is not None:
        here |= np.concatenate(([False], asleep))[placed.homes]
        tasks = np.where(here, 0.0, tasks)
    local = np.where(here, asked.local, 0.0).sum(axis=1)
    there = np.where(here, 0.0, asked.rows)
    call, calls, work = _remote(placed, profile, there, tasks, payload_bytes)
    wire = profile.call.main_seconds * calls.sum(axis=1)
    remote = slowest(profile, call, work)
    waiting = together(profile, local + wire, remote) - local - wire
    busy = placed.by_function(tasks)
    context = context_seconds(profile, prompt_tokens)
    modules = module_seconds(profile, prompt_tokens, layers)
    passes = pass_seconds(profile, prompt_tokens)
    terms = {
        "attention and gates": modules - layers * context - passes,
        "context": layers * context,
        "local experts": chunks * float(local.sum()),
        "calls": chunks * float(wire.sum()),
        "waiting for functions": chunks * float(waiting.sum()),
        BETWEEN_PASSES: passes,
        FRONT_DOOR: profile.request_seconds,
    }
    return Step(
        terms=terms, busy_seconds=chunks * busy.sum(axis=0), calls=chunks * calls.sum(axis=0)
    )


def _remote(
    placed: Placed,
    profile: HardwareProfile,
    rows: Floats,
    tasks: Floats,
    payload_bytes: int | None,
) -> tuple[Floats, Floats, Floats]:
    """Seconds of calls, number of calls and seconds of work, each [layers, functions].

    Replicas share a layer's experts by longest processing time first: the busiest gets an even
    share, or the longest expert alone.
    """
    asked = placed.by_function(rows)
    whole = placed.by_function(tasks)
    replicas = np.maximum(placed.replicas, 1)
    hit = -np.expm1(-asked)
    row_bytes = row_bytes_of(placed)
    split = np.minimum(replicas, np.maximum(np.ceil(asked / _WORTH_A_REPLICA), 1))
    if payload_bytes:
        split = np.maximum(split, np.ceil(asked * row_bytes / payload_bytes))
    in_turn = np.ceil(split / replicas)
    parallel = np.minimum(split, replicas)
    travel = 2 * asked * row_bytes / profile.call.bytes_per_second / parallel
    call = hit * in_turn * profile.call.mean_seconds + travel
    return call, hit * split, np.maximum(whole / parallel, _longest(placed, tasks))


def _longest(placed: Placed, work: Floats) -> Floats:
    """The longest expert of each layer's functions, [layers, functions]."""
    layers, homes = len(work), placed.functions + 1
    longest = np.zeros(layers * homes)
    places = placed.homes + homes * np.arange(layers)[:, None]
    np.maximum.at(longest, places.ravel(), work.ravel())
    return longest.reshape(layers, homes)[:, 1:]


_WORTH_A_REPLICA = 16.0
"""Pairs that a replica must get for the main model to split a layer's call."""
