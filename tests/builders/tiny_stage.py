"""A stage without data: a tiny model, invented texts, the paper's machine."""

from functools import cached_property
from pathlib import Path

from builders.recorded_traces import trace
from evaluation.stage import Stage

from remoe_planner.architecture import Architecture
from remoe_planner.forecasting.shape import RoutingShape

MIB = 1 << 20
LAYERS, EXPERTS, TOP_K = 3, 8, 2


class TinyStage(Stage):
    """Three layers of eight experts, large enough that functions are worth their calls."""

    @cached_property
    def architecture(self):
        return Architecture(
            name="tiny",
            revision="made up",
            layers=tuple(range(LAYERS)),
            experts_per_layer=EXPERTS,
            top_k=TOP_K,
            hidden_size=2048,
            expert_bytes=200 * MIB,
            main_bytes=400 * MIB,
            cache_bytes_per_token=4096,
        )

    @cached_property
    def trace(self):
        shape = RoutingShape(layers=LAYERS, experts=EXPERTS, top_k=TOP_K)
        return trace(24, tokens=24, shape=shape)


def a_stage(**more):
    given = {"data": Path("nowhere"), "model": "tiny", "learned": 20, "tried": 6}
    return TinyStage(**given | more)
