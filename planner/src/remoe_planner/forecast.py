"""Similar Prompts Searching: which experts a prompt will use, told from prompts like it.

The search is exact. The paper walks a tree of clusters; with one vector per prompt the whole
history is one matrix-vector product, and the tree's approximation buys nothing at these sizes.
Better forecasters than this, the paper's own, are in `forecasting`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from remoe_planner.activation_history import ActivationHistory
from remoe_planner.forecasting.divergences import layer_divergences
from remoe_planner.forecasting.kinship import Judged, Kinship, fit_kinship

_DEFAULT_TEMPERATURE = 0.02
_LEAST_FITTED = 32
_JUDGED = 200


class Basis(StrEnum):
    """What a forecast rests on."""

    SIMILAR_PROMPTS = "similar prompts"
    MEAN = "mean of history"
    UNIFORM = "uniform"


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchKnobs:
    """How similar prompts are weighed.

    Attributes:
        alpha: prompts taken, the nearest ones (the paper's 15).
        temperature: of the softmax over their cosines (the paper states none); small trusts the
            nearest alone, large weighs all alike. None: fitted on the history, each prompt left
            out; 0.02 while that is short, about what was fitted on real routing.
        min_similarity: cosine below which a prompt is no neighbor.
    """

    alpha: int = 15
    temperature: float | None = None
    min_similarity: float = 0.0

    def __post_init__(self) -> None:
        if self.alpha < 1:
            raise ValueError(f"alpha must be >= 1, got {self.alpha}")
        if self.temperature is not None and not self.temperature > 0:
            raise ValueError(f"temperature must be > 0, got {self.temperature}")
        if not -1 <= self.min_similarity <= 1:
            raise ValueError(f"min_similarity must be in -1..1, got {self.min_similarity}")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Forecast:
    """How a prompt's tokens are expected to spread over the experts.

    Attributes:
        frequencies: [layers, experts], each row sums to 1 (the paper's S~).
        basis: what it rests on.
        neighbors: prompts that took part; 0 for a uniform forecast.
        similarity: cosine of the nearest of them, None unless the basis is similar prompts.
    """

    frequencies: NDArray[np.float64]
    basis: Basis
    neighbors: int
    similarity: float | None = None


class Forecaster:
    """A history made ready to be searched. Immutable, so threads may share it."""

    def __init__(self, history: ActivationHistory, knobs: SearchKnobs | None = None) -> None:
        self._knobs = knobs or SearchKnobs()
        self._units = _unit_rows(history.vectors)
        self._known = np.any(self._units != 0, axis=1)
        self._frequencies = layer_frequencies(history.prefill)
        self._temperature = self._knobs.temperature or self._fitted_temperature()

    def forecast(self, vector: NDArray[np.float32] | None) -> Forecast:
        """The expected spread of a prompt with this vector (`prompt_vector`).

        Falls back to the mean of the history where the prompt has no vector or no neighbor, and
        to a uniform spread where there is no history.

        Raises:
            ValueError: the vector is not as wide as the history's.
        """
        if not len(self._frequencies):
            return _uniform(*self._frequencies.shape[1:])
        chosen, cosines = self._nearest(vector)
        if not len(chosen):
            return self._mean()
        weights = Kinship(temperature=self._temperature).weights(cosines)
        return Forecast(
            frequencies=np.tensordot(weights, self._frequencies[chosen], axes=1),
            basis=Basis.SIMILAR_PROMPTS,
            neighbors=len(chosen),
            similarity=float(cosines.max()),
        )

    def _fitted_temperature(self) -> float:
        """The temperature under which past prompts are foretold best from all others."""
        default = Kinship(temperature=_DEFAULT_TEMPERATURE)
        if len(self._frequencies) < _LEAST_FITTED:
            return default.temperature
        rows = np.flatnonzero(self._known)
        judged = rows[:: max(1, len(rows) // _JUDGED)]
        past = (found for row in judged if (found := self._left_out(row)))
        return fit_kinship(past, fallback=default, shares=(1.0,)).temperature

    def _left_out(self, row: np.intp) -> Judged | None:
        """A past prompt and its neighbors; copies of it, which would give it away, left out."""
        actual = self._frequencies[row]
        chosen, cosines = self._nearest(self._units[row])
        others = np.any(self._frequencies[chosen] != actual, axis=(1, 2))
        if not others.any():
            return None
        return Judged(
            cosines=cosines[others],
            deviations=self._frequencies[chosen[others]],
            losses=lambda said: layer_divergences(said, np.broadcast_to(actual, said.shape)).mean(
                axis=-1
            ),
        )

    def _nearest(
        self, vector: NDArray[np.float32] | None
    ) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
        """The alpha most similar prompts and their cosines (eq. 11); ties go to the older."""
        if vector is None or not np.any(vector):
            return np.zeros(0, np.intp), np.zeros(0)
        if vector.shape != self._units.shape[1:]:
            raise ValueError(f"vector must have shape {self._units.shape[1:]}, got {vector.shape}")
        unit = _unit_rows(vector[None])[0]
        cosines = (self._units @ unit).astype(np.float64)
        allowed = np.flatnonzero(self._known & (cosines >= self._knobs.min_similarity))
        chosen = allowed[np.argsort(-cosines[allowed], kind="stable")][: self._knobs.alpha]
        return chosen, cosines[chosen]

    def _mean(self) -> Forecast:
        return Forecast(
            frequencies=self._frequencies.mean(axis=0),
            basis=Basis.MEAN,
            neighbors=len(self._frequencies),
        )


def forecast(
    history: ActivationHistory,
    vector: NDArray[np.float32] | None,
    knobs: SearchKnobs | None = None,
) -> Forecast:
    """One forecast from a history; whoever makes many keeps a `Forecaster`."""
    return Forecaster(history, knobs).forecast(vector)


def layer_frequencies(counts: NDArray[np.uint32]) -> NDArray[np.float64]:
    """Counts [..., layers, experts] as shares of each layer's; even where a layer has none."""
    totals = counts.sum(axis=-1, keepdims=True, dtype=np.float64)
    even = np.full(counts.shape, 1 / max(counts.shape[-1], 1))
    return np.asarray(np.divide(counts, totals, out=even, where=totals > 0))


def _uniform(layers: int, experts: int) -> Forecast:
    even = np.full((layers, experts), 1 / experts)
    return Forecast(frequencies=even, basis=Basis.UNIFORM, neighbors=0)


def _unit_rows(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    # In float64: the squares of small float32 values would vanish, and the length with them.
    lengths = np.sqrt(np.einsum("nd,nd->n", vectors, vectors, dtype=np.float64))[:, None]
    units = np.divide(vectors, lengths, out=np.zeros(vectors.shape), where=lengths > 0)
    return np.asarray(units, np.float32)
