"""Small services, and requests whose routing is known, for days that nobody lives through."""

from __future__ import annotations

import numpy as np
from builders.estimating_world import architecture, machine

from remoe_planner.experts import ExpertId
from remoe_planner.hardware.profile import CallTime
from remoe_planner.plan import FunctionPlan, Plan
from remoe_planner.prices import Prices
from remoe_simulator.contender import Contender
from remoe_simulator.simulated_request import SimulatedRequest

GIB = 1 << 30
PRICES = Prices(main_gib_second=2.0, function_gib_second=3.0, gpu_gib_second=5.0, call=0.25)
STEADY = CallTime(mean_seconds=3e-4, main_seconds=5e-5, bytes_per_second=1e12)


def plan(model, *, remote=0, **knobs):
    """One function for the last `remote` experts of every layer."""
    function = {"memory_bytes": GIB, "keep_alive_seconds": 10.0, "cores": 2.0} | knobs
    first = model.experts_per_layer - remote
    functions = [
        FunctionPlan(
            name=f"layer-{layer}",
            experts=tuple(ExpertId(layer, k) for k in range(first, model.experts_per_layer)),
            **function,
        )
        for layer in (model.layers if remote else ())
    ]
    return Plan(architecture=model, functions=tuple(functions), main_memory_bytes=4 * GIB)


def contender(model=None, *, remote=0, profile=None, knobs=None, **changes):
    """A main model that is always there, and functions that start asleep."""
    model = model or architecture()
    given = {
        "name": "small",
        "plan": plan(model, remote=remote, **(knobs or {})),
        "profile": profile or machine(call=STEADY),
        "prices": PRICES,
    }
    return Contender(**given | changes)


def request(name="a", at=0.0, *, model=None, chunks=(32,), steps=5, seed=0, forecast=False):
    """Even routing by chance; the forecast is even, too."""
    model = model or architecture()
    random = np.random.default_rng(seed)
    layers, experts = model.shape
    rows = [
        [
            np.bincount(_picks(random, tokens, model).ravel(), minlength=experts)
            for _ in range(layers)
        ]
        for tokens in chunks
    ]
    picks = _picks(random, steps * layers, model)
    even = np.full((layers, experts), 1 / experts) if forecast else None
    return SimulatedRequest(
        name=name,
        arrival_seconds=at,
        chunk_tokens=tuple(chunks),
        chunk_rows=np.array(rows, np.uint16),
        answer_picks=picks.reshape(steps, layers, model.top_k).astype(np.uint16),
        prompt_forecast=even,
        answer_forecast=even,
    )


def _picks(random, tokens, model):
    """[tokens, top_k], no expert twice."""
    order = np.argsort(random.random((tokens, model.experts_per_layer)), axis=1)
    return order[:, : model.top_k]
