"""Similar Prompts Searching (section 1.6): the mean of the most similar prompts' frequencies.

The softmax's temperature, which the paper does not state, is fitted by leaving each past prompt
out. Beyond the paper: prompts are compared as seen from their common center, and the mean of all
keeps the share that past prompts say it should have.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from remoe_planner.forecasting.approximate_index import index_for
from remoe_planner.forecasting.calibration import Calibration, fit_calibration
from remoe_planner.forecasting.divergences import layer_divergences
from remoe_planner.forecasting.kinship import SHARES, Judged, Kinship, fit_kinship
from remoe_planner.forecasting.outlook import Basis, Outlook, distribution, uniform_outlook
from remoe_planner.forecasting.prompt_ring import PromptRing
from remoe_planner.forecasting.routed_prompt import Query, RoutedPrompt
from remoe_planner.forecasting.shape import RoutingShape
from remoe_planner.forecasting.similarity import IndexMaker
from remoe_planner.forecasting.vector_support import VectorSupport, vector_support

_LEAST_CALIBRATED = 32
_MOST_NUMBERS = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class NeighborKnobs:
    """How similar prompts are weighed.

    Attributes:
        alpha: prompts taken (the paper's 15).
        temperature: of the softmax, until `refit` finds a better one.
        capacity: prompts remembered.
        judged: past prompts that the weights are fitted on.
        as_printed: compare vectors as they are and let the nearest decide alone (the paper).
    """

    alpha: int = 15
    temperature: float = 0.1
    capacity: int = 10_000
    judged: int = 200
    as_printed: bool = False

    def __post_init__(self) -> None:
        for name in ("alpha", "capacity", "judged"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be >= 1, got {getattr(self, name)}")
        if not 0 < self.temperature < float("inf"):
            raise ValueError(f"temperature must be > 0 and finite, got {self.temperature}")


class NeighborForecaster:
    """A ring of past prompts, and the weights of the nearest.

    Not safe for threads that observe; forecasts alone may run together.
    """

    def __init__(
        self,
        shape: RoutingShape,
        *,
        width: int,
        knobs: NeighborKnobs | None = None,
        index: IndexMaker = index_for,
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
        self._ring = PromptRing(
            shape,
            width=width,
            capacity=self._knobs.capacity,
            make_index=index,
            most_numbers=None if self._knobs.as_printed else _MOST_NUMBERS,
        )
        self._kinship = Kinship(temperature=self._knobs.temperature)
        self._calibration: Calibration | None = None

    @property
    def ring(self) -> PromptRing:
        """What is remembered."""
        return self._ring

    @property
    def nbytes(self) -> int:
        """Bytes of the state."""
        return self._ring.nbytes

    def observe(self, prompt: RoutedPrompt) -> None:
        frequencies = prompt.frequencies(self._shape)
        if len(prompt.experts):
            self.learn(prompt.query, frequencies)

    def learn(self, query: Query, frequencies: NDArray[np.float64]) -> int | None:
        """Take in a request of which only the frequencies [layers, experts] are known.

        Returns:
            Its row in the ring; None for a request without a vector, which teaches nothing here.

        Raises:
            ValueError: the frequencies are of another shape, or the vector of another width.
        """
        if frequencies.shape != self._shape.table:
            raise ValueError(
                f"frequencies must be of shape {self._shape.table}, got {frequencies.shape}"
            )
        unit = self._ring.unit(query.vector)
        if unit is None:
            return None
        return self._ring.add(unit, frequencies, len(query.tokens))

    def refit(self) -> None:
        """Fit center, weights and trust: forecast past prompts from all others."""
        if len(self._ring) < 2:
            return
        self._ring.recenter(centered=not self._knobs.as_printed)
        self._kinship = fit_kinship(
            self._judged(),
            fallback=self._kinship,
            shares=(1.0,) if self._knobs.as_printed else SHARES,
        )
        self._calibrate()

    def forecast(self, query: Query) -> Outlook:
        if not len(self._ring):
            return uniform_outlook(self._shape.table)
        unit, mean = self._ring.unit(query.vector), self._mean_spread()
        if unit is None:
            return Outlook(frequencies=mean, basis=Basis.MEAN, evidence=len(self._ring))
        rows, cosines = self._ring.nearest(unit, self._knobs.alpha)
        spread = self._blend(rows, cosines, mean)
        support = vector_support(spread, len(query.tokens), cosines)
        return Outlook(
            frequencies=spread,
            basis=Basis.SIMILAR_PROMPTS if len(rows) and self._kinship.share else Basis.MEAN,
            evidence=len(rows),
            trust=self._calibration.trust(support) if self._calibration else None,
        )

    def arrays(self) -> Mapping[str, NDArray[Any]]:
        return {
            **self._ring.arrays(),
            "temperature": np.array(self._kinship.temperature),
            "share": np.array(self._kinship.share),
        }

    def _blend(
        self, rows: NDArray[np.int64], cosines: NDArray[np.float64], mean: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        if not len(rows):
            return mean
        weights = self._kinship.weights(cosines)
        said = np.tensordot(weights, self._ring.frequencies(rows), axes=1)
        return distribution(said + (1 - weights.sum()) * mean)

    def _mean_spread(self) -> NDArray[np.float64]:
        return distribution(self._ring.mean_frequencies())

    def _others(self) -> Iterator[tuple[int, NDArray[np.int64], NDArray[np.float64]]]:
        return self._ring.some_with_others(self._knobs.judged, self._knobs.alpha)

    def _judged(self) -> Iterator[Judged]:
        mean = self._mean_spread()
        for row, near, cosines in self._others():
            actual = self._ring.frequencies(np.array([row]))[0]
            yield Judged(
                cosines=cosines,
                deviations=self._ring.frequencies(near) - mean,
                losses=partial(_losses, mean, actual),
            )

    def _calibrate(self) -> None:
        supports: list[VectorSupport] = []
        off = []
        for row, near, cosines in self._others():
            spread = self._blend(near, cosines, self._mean_spread())
            actual = self._ring.frequencies(np.array([row]))[0]
            supports.append(vector_support(spread, int(self._ring.tokens[row]), cosines))
            off.append(float(layer_divergences(spread, actual).mean()))
        if len(off) >= _LEAST_CALIBRATED:
            self._calibration = fit_calibration(supports, np.array(off))


def _losses(
    mean: NDArray[np.float64], actual: NDArray[np.float64], moved: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Divergences of the mean moved in several ways, [choices]."""
    spreads = distribution(mean + moved)
    return np.asarray(
        layer_divergences(spreads, np.broadcast_to(actual, spreads.shape)).mean(axis=-1)
    )
