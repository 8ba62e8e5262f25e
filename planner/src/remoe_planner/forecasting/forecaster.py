"""The seam every way of forecasting fits, and the names they are chosen by."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Protocol

from numpy.typing import NDArray

from remoe_planner.forecasting.outlook import Outlook
from remoe_planner.forecasting.routed_prompt import Query, RoutedPrompt


class Method(StrEnum):
    """Ways to forecast, from the poorest to the best.

    `TREE` is the paper's search as printed, `BRUTE_FORCE` its upper line: the same without the
    tree. The rest is ours.
    """

    UNIFORM = "uniform"
    MEAN = "mean"
    TREE = "tree"
    BRUTE_FORCE = "brute force"
    NEIGHBORS = "neighbors"
    VECTOR = "vector"
    CONTEXT = "context"
    JOINT = "joint"


class Forecaster(Protocol):
    """Learns from requests as they end; foretells the next one."""

    def observe(self, prompt: RoutedPrompt) -> None:
        """Take one more request into account; bounded in time and in memory.

        Raises:
            ValueError: the routing is of another shape.
        """

    def forecast(self, query: Query) -> Outlook:
        """The expected spread; never fails for want of evidence, falls back and says so."""

    def arrays(self) -> Mapping[str, NDArray[Any]]:
        """The state as plain arrays, fit for an npz file."""
