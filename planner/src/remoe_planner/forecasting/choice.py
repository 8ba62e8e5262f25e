"""One place where a method's name becomes a forecaster."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from remoe_planner.forecasting.cluster_tree import ClusterTree
from remoe_planner.forecasting.context_forecaster import ContextForecaster, ContextKnobs
from remoe_planner.forecasting.forecaster import Forecaster, Method
from remoe_planner.forecasting.joint_forecaster import JointForecaster
from remoe_planner.forecasting.mean import MeanForecaster, UniformForecaster
from remoe_planner.forecasting.neighbors import NeighborForecaster, NeighborKnobs
from remoe_planner.forecasting.shape import RoutingShape
from remoe_planner.forecasting.vector_forecaster import VectorForecaster


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ForecasterSpec:
    """All that any method may need.

    Attributes:
        shape: of the routing.
        width: of the prompts' vectors, for the methods that search.
        words: [vocabulary] class of each token, for those that read tokens.
        neighbors: knobs of the search.
        context: knobs of the tables.
    """

    shape: RoutingShape
    width: int = 1
    words: NDArray[np.int64] | None = None
    neighbors: NeighborKnobs = field(default_factory=NeighborKnobs)
    context: ContextKnobs = field(default_factory=ContextKnobs)


_MAKERS: dict[Method, Callable[[ForecasterSpec], Forecaster]] = {
    Method.UNIFORM: lambda s: UniformForecaster(s.shape),
    Method.MEAN: lambda s: MeanForecaster(s.shape),
    Method.TREE: lambda s: NeighborForecaster(
        s.shape, width=s.width, knobs=replace(s.neighbors, as_printed=True), index=ClusterTree
    ),
    Method.BRUTE_FORCE: lambda s: NeighborForecaster(
        s.shape, width=s.width, knobs=replace(s.neighbors, as_printed=True)
    ),
    Method.NEIGHBORS: lambda s: NeighborForecaster(s.shape, width=s.width, knobs=s.neighbors),
    Method.VECTOR: lambda s: VectorForecaster(s.shape, width=s.width, knobs=s.neighbors),
    Method.CONTEXT: lambda s: ContextForecaster(s.shape, words=s.words, knobs=s.context),
    Method.JOINT: lambda s: JointForecaster(
        s.shape,
        context=ContextForecaster(s.shape, words=s.words, knobs=s.context),
        vector=VectorForecaster(s.shape, width=s.width, knobs=s.neighbors),
    ),
}


def new_forecaster(method: Method, spec: ForecasterSpec) -> Forecaster:
    """An empty forecaster of this method."""
    return _MAKERS[method](spec)
