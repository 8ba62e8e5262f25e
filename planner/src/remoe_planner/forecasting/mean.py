"""Forecasts that do not look at the prompt: the even spread and the historical mean."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from remoe_planner.forecasting.outlook import Basis, Outlook, uniform_outlook
from remoe_planner.forecasting.routed_prompt import Query, RoutedPrompt
from remoe_planner.forecasting.shape import RoutingShape


class UniformForecaster:
    """Every expert alike (the paper's EF)."""

    def __init__(self, shape: RoutingShape) -> None:
        self._shape = shape

    def observe(self, prompt: RoutedPrompt) -> None:
        prompt.cells(self._shape)

    def forecast(self, query: Query) -> Outlook:  # noqa: ARG002 - the seam gives it
        return uniform_outlook(self._shape.table)

    def arrays(self) -> Mapping[str, NDArray[Any]]:
        return {}


class MeanForecaster:
    """The mean of past prompts' frequencies, each prompt alike (the paper's DOP)."""

    def __init__(self, shape: RoutingShape) -> None:
        self._shape = shape
        self._sum = np.zeros(shape.table)
        self._prompts = 0

    def observe(self, prompt: RoutedPrompt) -> None:
        frequencies = prompt.frequencies(self._shape)
        if len(prompt.experts):
            self._sum += frequencies
            self._prompts += 1

    def forecast(self, query: Query) -> Outlook:  # noqa: ARG002 - the seam gives it
        if not self._prompts:
            return uniform_outlook(self._shape.table)
        return Outlook(
            frequencies=self._sum / self._prompts, basis=Basis.MEAN, evidence=self._prompts
        )

    def arrays(self) -> Mapping[str, NDArray[Any]]:
        return {"sum": self._sum, "prompts": np.array(self._prompts)}
