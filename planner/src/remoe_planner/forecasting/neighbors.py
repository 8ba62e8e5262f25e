"""Similar Prompts Searching (section 1.6): the mean of the most similar prompts' frequencies.

The softmax's temperature, which the paper does not state, is fitted by leaving each past prompt
out. The oldest prompt goes when the history is full.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from remoe_planner.forecasting.divergences import layer_divergences
from remoe_planner.forecasting.outlook import Basis, Outlook, uniform_outlook
from remoe_planner.forecasting.routed_prompt import Query, RoutedPrompt
from remoe_planner.forecasting.shape import RoutingShape
from remoe_planner.forecasting.similarity import ExactIndex, SimilarityIndex, unit_vector

_TEMPERATURES = np.geomspace(0.01, 3, 16)
_STEP = np.float64(65_535)


@dataclass(frozen=True, slots=True, kw_only=True)
class NeighborKnobs:
    """How similar prompts are weighed.

    Attributes:
        alpha: prompts taken (the paper's 15).
        temperature: of the softmax, until `refit` finds a better one.
        capacity: prompts remembered.
        judged: past prompts that the temperature is fitted on.
    """

    alpha: int = 15
    temperature: float = 0.1
    capacity: int = 10_000
    judged: int = 200

    def __post_init__(self) -> None:
        for name in ("alpha", "capacity", "judged"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be >= 1, got {getattr(self, name)}")
        if not self.temperature > 0:
            raise ValueError(f"temperature must be > 0, got {self.temperature}")


class NeighborForecaster:
    """A ring of past prompts: unit vectors and frequencies."""

    def __init__(
        self,
        shape: RoutingShape,
        *,
        width: int,
        knobs: NeighborKnobs | None = None,
        index: Callable[[NDArray[np.float32]], SimilarityIndex] = ExactIndex,
    ) -> None:
        """An empty ring.

        Args:
            shape: of the routing.
            width: of the prompts' vectors.
            knobs: how neighbors are weighed.
            index: makes the search of the vectors [prompts, width].
        """
        self._shape = shape
        self._knobs = knobs or NeighborKnobs()
        self._make_index = index
        self._index: SimilarityIndex | None = None
        self._temperature = self._knobs.temperature
        self._all_units = np.zeros((1, width), np.float32)
        self._all_spreads = np.zeros((1, shape.cells), np.uint16)
        self._prompts = 0
        self._next = 0

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays."""
        return self._all_units.nbytes + self._all_spreads.nbytes

    @property
    def _units(self) -> NDArray[np.float32]:
        return self._all_units[: self._prompts]

    @property
    def _spreads(self) -> NDArray[np.uint16]:
        return self._all_spreads[: self._prompts]

    def observe(self, prompt: RoutedPrompt) -> None:
        frequencies = prompt.frequencies(self._shape)
        unit = self._unit(prompt.query)
        if unit is None or not len(prompt.experts):
            return
        spread = np.rint(frequencies.ravel() * _STEP).astype(np.uint16)
        self._reserve()
        self._all_units[self._next], self._all_spreads[self._next] = unit, spread
        self._prompts = max(self._prompts, self._next + 1)
        self._next = (self._next + 1) % self._knobs.capacity
        self._index = None

    def refit(self) -> None:
        """Fit the temperature: forecast past prompts from all others."""
        rows = np.arange(len(self._units))[:: max(1, len(self._units) // self._knobs.judged)]
        if len(self._units) < 2:
            return
        losses = np.zeros(len(_TEMPERATURES))
        for row in rows:
            near, cosines = self._search(self._units[row], self._knobs.alpha + 1)
            others = near != row
            actual = self._frequencies(np.array([row]))[0]
            for i, temperature in enumerate(_TEMPERATURES):
                spread = self._blend(near[others], cosines[others], float(temperature))
                losses[i] += layer_divergences(spread, actual).mean()
        self._temperature = float(_TEMPERATURES[losses.argmin()])

    def forecast(self, query: Query) -> Outlook:
        if not len(self._units):
            return uniform_outlook(self._shape.table)
        unit = self._unit(query)
        if unit is None:
            everything = self._frequencies(np.arange(len(self._units))).mean(axis=0)
            return Outlook(frequencies=everything, basis=Basis.MEAN, evidence=len(self._units))
        rows, cosines = self._search(unit, self._knobs.alpha)
        return Outlook(
            frequencies=self._blend(rows, cosines, self._temperature),
            basis=Basis.SIMILAR_PROMPTS,
            evidence=len(rows),
        )

    def arrays(self) -> Mapping[str, NDArray[Any]]:
        return {
            "units": self._units,
            "spreads": self._spreads,
            "next": np.array(self._next),
            "temperature": np.array(self._temperature),
        }

    def _reserve(self) -> None:
        held = len(self._all_units)
        if self._next < held:
            return
        more = min(held, self._knobs.capacity - held)
        self._all_units = np.pad(self._all_units, ((0, more), (0, 0)))
        self._all_spreads = np.pad(self._all_spreads, ((0, more), (0, 0)))

    def _unit(self, query: Query) -> NDArray[np.float32] | None:
        """The query's direction, None where it has none.

        Raises:
            ValueError: its vector is not as wide as the others.
        """
        if query.vector is None or not np.any(query.vector):
            return None
        if query.vector.shape != self._units.shape[1:]:
            raise ValueError(
                f"vector must have shape {self._units.shape[1:]}, got {query.vector.shape}"
            )
        return unit_vector(query.vector)

    def _search(
        self, unit: NDArray[np.float32], alpha: int
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        if self._index is None:
            self._index = self._make_index(self._units)
        return self._index.nearest(unit, alpha)

    def _blend(
        self, rows: NDArray[np.int64], cosines: NDArray[np.float64], temperature: float
    ) -> NDArray[np.float64]:
        weights = np.exp((cosines - cosines.max()) / temperature)
        blended = np.tensordot(weights / weights.sum(), self._frequencies(rows), axes=1)
        return np.asarray(blended / blended.sum(axis=-1, keepdims=True))

    def _frequencies(self, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        return self._spreads[rows].reshape(-1, *self._shape.table) / _STEP
