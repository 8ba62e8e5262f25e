"""Small models, machines and workloads for plans that nobody carries out."""

from __future__ import annotations

import numpy as np

from remoe_planner.architecture import Architecture
from remoe_planner.demand.routing import Routing
from remoe_planner.grouping import Grouping
from remoe_planner.hardware.curve import Curve
from remoe_planner.hardware.expert_time import ExpertTime
from remoe_planner.hardware.profile import CallTime, HardwareProfile, StartTime
from remoe_planner.least_used import FunctionKnobs, plan_least_used


def architecture(layers=4, experts=8, top_k=2, **changes):
    given = {
        "name": "small",
        "revision": "r1",
        "layers": tuple(range(layers)),
        "experts_per_layer": experts,
        "top_k": top_k,
        "hidden_size": 64,
        "expert_bytes": 2_000_000,
        "main_bytes": 50_000_000,
        "cache_bytes_per_token": 4096,
    }
    return Architecture(**given | changes)


def machine(**changes):
    expert = ExpertTime(
        cores=(1.0, 4.0),
        curves=(
            Curve(rows=(1, 8, 64), seconds=(4e-4, 6e-4, 2e-3)),
            Curve(rows=(1, 8, 64), seconds=(2e-4, 3e-4, 8e-4)),
        ),
    )
    given = {
        "name": "small machine",
        "source": "made up",
        "measured": False,
        "module": Curve(rows=(1, 16, 256), seconds=(3e-4, 5e-4, 4e-3)),
        "step": Curve.constant(1e-3),
        "local_expert": expert,
        "remote_expert": expert,
        "call": CallTime(mean_seconds=3e-4, deviation_seconds=1e-4, main_seconds=5e-5),
        "main_start": StartTime(seconds=3.0, bytes_per_second=1e9),
        "function_start": StartTime(seconds=0.4, bytes_per_second=1e9),
        "context_seconds": 1e-8,
    }
    return HardwareProfile(**given | changes)


def routing(model, *, requests=0, tokens=300, seed=0, skew=1.0):
    """Dirichlet shares; `requests` samples drawn around them."""
    random = np.random.default_rng(seed)
    shares = random.dirichlet(np.full(model.experts_per_layer, skew), len(model.layers))
    samples = random.poisson(shares * tokens * model.top_k, (requests, *model.shape))
    return Routing(
        prefill=shares,
        decode=shares,
        samples=samples.astype(np.uint32),
        sample_tokens=np.full(requests, tokens, np.uint32),
    )


def least_used(model, spread, share, *, functions=3, grouping=Grouping.BY_USE, **knobs):
    """The first plan of a share, by the routing's decode shares."""
    return plan_least_used(
        model,
        spread.decode,
        remote_share=share,
        functions=functions,
        grouping=grouping,
        knobs=FunctionKnobs(**knobs),
    )
