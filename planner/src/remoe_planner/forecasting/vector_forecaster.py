"""Expert use read off the prompt's vector: a regression, corrected by the most similar prompts.

A sum of token embeddings is linear in the tokens, and so, nearly, is a prompt's expert use: one
regression says most of what the paper's neighbors say, and they add what it missed of prompts like
this one. It needs vectors and counts alone, never tokens' routing, and serves decode as prefill.

Shares are regressed as their roots, in which a small error weighs alike for rare and busy experts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from remoe_planner.forecasting.approximate_index import index_for
from remoe_planner.forecasting.calibration import Calibration, fit_calibration
from remoe_planner.forecasting.count_spread import CountSpread, fit_count_spread
from remoe_planner.forecasting.divergences import layer_divergences
from remoe_planner.forecasting.kinship import Judged, Kinship, fit_kinship
from remoe_planner.forecasting.neighbors import NeighborForecaster, NeighborKnobs
from remoe_planner.forecasting.outlook import Basis, Outlook, distribution
from remoe_planner.forecasting.ridge import Ridge, fit_ridge
from remoe_planner.forecasting.routed_prompt import Query, RoutedPrompt
from remoe_planner.forecasting.shape import RoutingShape
from remoe_planner.forecasting.similarity import IndexMaker
from remoe_planner.forecasting.vector_features import VectorFeatures
from remoe_planner.forecasting.vector_support import vector_support

LEAST_PROMPTS = 32
"""With fewer there is nothing to fit."""

_FLOOR = 1e-3  # of a root


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Model:
    """All that is fitted.

    `roots` is the mean of the shares' roots, [cells]; `ridge` says what a prompt's features add.
    """

    features: VectorFeatures
    roots: NDArray[np.float32]
    ridge: Ridge
    kinship: Kinship
    calibration: Calibration | None = None
    count_spread: CountSpread | None = None


class VectorForecaster:
    """Neighbors until `refit`; then the regression and what its neighbors missed.

    Not safe for threads that observe or refit; forecasts alone may run together.
    """

    def __init__(
        self,
        shape: RoutingShape,
        *,
        width: int,
        knobs: NeighborKnobs | None = None,
        index: IndexMaker = index_for,
    ) -> None:
        """An empty forecaster; arguments as `NeighborForecaster`'s."""
        self._shape = shape
        self._knobs = knobs or NeighborKnobs()
        self._neighbors = NeighborForecaster(shape, width=width, knobs=self._knobs, index=index)
        self._ring = self._neighbors.ring
        self._model: _Model | None = None
        # Rows that came after the fit had no part in it: their leverage is 0.
        self._leverages = np.zeros(0, np.float32)

    @property
    def nbytes(self) -> int:
        """Bytes of the state."""
        return self._ring.nbytes + (self._model.ridge.weights.nbytes if self._model else 0)

    def observe(self, prompt: RoutedPrompt) -> None:
        frequencies = prompt.frequencies(self._shape)
        if len(prompt.experts):
            self.learn(prompt.query, frequencies)

    def learn(self, query: Query, frequencies: NDArray[np.float64]) -> int | None:
        """Take in a request of which only the frequencies are known, as `NeighborForecaster` does.

        Raises:
            ValueError: the frequencies are of another shape, or the vector of another width.
        """
        row = self._neighbors.learn(query, frequencies)
        if row is not None and row < len(self._leverages):
            self._leverages[row] = 0
        return row

    def refit(self) -> None:
        """Fit everything on what is remembered. Seconds for 10^4 prompts: not on a request's way.

        With fewer than 32 prompts there is nothing to fit, and neighbors go on alone.
        """
        if len(self._ring) < LEAST_PROMPTS:
            return
        self._ring.recenter()
        step = max(1, len(self._ring) // self._knobs.judged)
        judged = np.arange(0, len(self._ring), step)
        model = self._regressed(judged)
        self._leverages = model.ridge.leverages.copy()
        self._model = self._trusted(self._related(model))

    def forecast(self, query: Query) -> Outlook:
        unit = self._ring.unit(query.vector)
        if self._model is None or unit is None:
            return self._neighbors.forecast(query)
        tokens = np.array([len(query.tokens)])
        features = self._model.features.of(unit[None], tokens)[0]
        rows, cosines = self._ring.nearest(unit, self._knobs.alpha)
        return self._outlook(self._model, features, rows, cosines, int(tokens[0]))

    def arrays(self) -> Mapping[str, NDArray[Any]]:
        fitted = {} if self._model is None else {"weights": self._model.ridge.weights}
        return {**self._neighbors.arrays(), **fitted}

    def _outlook(
        self,
        model: _Model,
        features: NDArray[np.float32],
        rows: NDArray[np.int64],
        cosines: NDArray[np.float64],
        tokens: int,
    ) -> Outlook:
        spread = self._spread(model, features, rows, cosines)
        support = vector_support(spread, tokens, cosines)
        return Outlook(
            frequencies=spread,
            basis=Basis.VECTOR,
            evidence=len(self._ring),
            trust=model.calibration.trust(support) if model.calibration and tokens else None,
            count_spread=model.count_spread,
        )

    def _spread(
        self,
        model: _Model,
        features: NDArray[np.float32],
        rows: NDArray[np.int64],
        cosines: NDArray[np.float64],
    ) -> NDArray[np.float64]:
        """The regression plus what it missed of the nearest; one product, both being linear."""
        estimate = model.roots.astype(np.float64)
        if model.kinship.share and len(rows):
            weights = model.kinship.weights(cosines) / (1 - self._leverage(rows))
            estimate += weights @ (self._roots(rows) - model.roots)
            said = weights @ self._features(model.features, rows)
            features = np.asarray(features - said, np.float32)
        estimate += features @ model.ridge.weights
        return self._shares(estimate)

    def _regressed(self, judged: NDArray[np.int64]) -> _Model:
        everything = np.arange(len(self._ring))
        settled = VectorFeatures.settled(self._ring.units(), self._ring.tokens)
        roots = self._roots(everything).astype(np.float32)
        mean = roots.mean(axis=0, dtype=np.float64).astype(np.float32)
        actual = self._ring.frequencies(judged)
        ridge = fit_ridge(
            self._features(settled, everything),
            roots - mean,
            judged,
            lambda left_out: float(layer_divergences(self._shares(left_out + mean), actual).mean()),
        )
        even = Kinship(temperature=self._knobs.temperature, share=0.0)
        return _Model(features=settled, roots=mean, ridge=ridge, kinship=even)

    def _related(self, model: _Model) -> _Model:
        """With the share of the neighbors' misses fitted."""
        kinship = fit_kinship(self._judged(model), fallback=model.kinship)
        return replace(model, kinship=kinship)

    def _judged(self, model: _Model) -> Iterator[Judged]:
        for row, near, cosines in self._others():
            rows = np.append(near, row)
            missed = self._missed(model, rows)
            actual, root = self._ring.frequencies(rows[-1:])[0], self._roots(rows[-1:])[0]
            yield Judged(
                cosines=cosines,
                deviations=missed[:-1],
                losses=partial(self._losses, root - missed[-1], actual),
            )

    def _losses(
        self, base: NDArray[np.float64], actual: NDArray[np.float64], said: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Divergences of an estimate of roots moved in several ways, [choices]."""
        spreads = self._shares(base + said)
        return np.asarray(
            layer_divergences(spreads, np.broadcast_to(actual, spreads.shape)).mean(axis=-1)
        )

    def _trusted(self, model: _Model) -> _Model:
        """With trust measured on past prompts, each foretold without itself and its copies."""
        spreads, supports, rows_judged = [], [], []
        for row, near, cosines in self._others():
            rows = np.append(near, row)
            missed = self._missed(model, rows)
            said = model.kinship.weights(cosines) @ missed[:-1]
            spread = self._shares(self._roots(rows[-1:])[0] - missed[-1] + said)
            spreads.append(spread)
            supports.append(vector_support(spread, int(self._ring.tokens[row]), cosines))
            rows_judged.append(row)
        if not rows_judged:
            return model
        judged = np.array(rows_judged)
        expected, actual = np.stack(spreads), self._ring.frequencies(judged)
        tokens = self._ring.tokens[judged]
        sizes = tokens[:, None, None] * self._shape.top_k
        return replace(
            model,
            calibration=fit_calibration(supports, layer_divergences(expected, actual).mean(axis=1)),
            count_spread=fit_count_spread(expected * sizes, actual * sizes, tokens),
        )

    def _others(self) -> Iterator[tuple[int, NDArray[np.int64], NDArray[np.float64]]]:
        return self._ring.some_with_others(self._knobs.judged, self._knobs.alpha)

    def _missed(self, model: _Model, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """What the others' regression misses of each row's roots, [rows, cells]."""
        estimates = model.roots + self._features(model.features, rows) @ model.ridge.weights
        return np.asarray((self._roots(rows) - estimates) / (1 - self._leverage(rows))[:, None])

    def _roots(self, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        return np.sqrt(self._ring.frequencies(rows)).reshape(len(rows), -1)

    def _features(self, made: VectorFeatures, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        return made.of(self._ring.units(rows), self._ring.tokens[rows])

    def _leverage(self, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        held = np.zeros(len(rows))
        fitted = rows < len(self._leverages)
        held[fitted] = self._leverages[rows[fitted]]
        return held

    def _shares(self, roots: NDArray[Any]) -> NDArray[np.float64]:
        """Distributions [..., layers, experts] from estimates of their roots [..., cells]."""
        squares = np.maximum(roots, _FLOOR).astype(np.float64) ** 2
        return distribution(squares.reshape(*roots.shape[:-1], *self._shape.table))
