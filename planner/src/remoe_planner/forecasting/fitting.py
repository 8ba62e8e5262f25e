"""Fits the numbers of a `ContextModel` on past prompts, each forecast without itself.

Leave one out: the tables count every prompt, and a prompt's own counts are taken out before it is
forecast. The regression is fitted in folds, so that no prompt is judged by weights it shaped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from remoe_planner.forecasting.calibration import Support, fit_calibration
from remoe_planner.forecasting.context_estimate import estimate
from remoe_planner.forecasting.context_keys import Context
from remoe_planner.forecasting.context_model import ContextModel, unfitted_model
from remoe_planner.forecasting.context_regression import FOLDS, Regression, by_layer
from remoe_planner.forecasting.count_spread import fit_count_spread
from remoe_planner.forecasting.divergences import layer_divergences
from remoe_planner.forecasting.reading import Reading, read
from remoe_planner.forecasting.routed_prompt import RoutedPrompt
from remoe_planner.forecasting.sharpening import fit_sharpening
from remoe_planner.forecasting.strengths import StrengthLoss
from remoe_planner.forecasting.tables import Tables
from remoe_planner.forecasting.token_basis import token_basis

_REFERENCE_TOKENS = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class FitKnobs:
    """How much work a fit is.

    Attributes:
        rank: width of a token's embedding.
        max_tokens: of one prompt, read at most about this many.
        strength_tokens: tokens that the strengths are fitted on.
        judged_prompts: prompts that sharpening and calibration are fitted on.
        basis_tokens: distinct tokens, the most frequent, that the basis is drawn from.
        least_prompts: with fewer, nothing but the tables is used.
    """

    rank: int = 64
    max_tokens: int = 256
    strength_tokens: int = 30_000
    judged_prompts: int = 1_000
    basis_tokens: int = 2_048
    least_prompts: int = 16

    def __post_init__(self) -> None:
        for name in self.__slots__:
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be >= 1, got {getattr(self, name)}")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Past:
    """A past prompt read without itself."""

    prompt: RoutedPrompt
    reading: Reading
    fold: int
    weight: float

    def spreads(self, tables: Tables) -> NDArray[np.float32]:
        """What each token read did, [n, layers, experts], each row summing to 1."""
        cells = self.prompt.cells(tables.shape)[self.reading.positions]
        dense = np.zeros((len(cells), tables.shape.cells), np.float32)
        np.put_along_axis(dense, cells, 1 / tables.shape.top_k, axis=1)
        return dense.reshape(-1, *tables.shape.table)


class Fit:
    """The fit as a story: `model()` tells it; the rest are its chapters."""

    def __init__(self, tables: Tables, prompts: Sequence[RoutedPrompt], knobs: FitKnobs) -> None:
        self._tables = tables
        self._knobs = knobs
        self._mean = tables.mean()
        keyed = [(self._key(p), p) for p in prompts if len(p.query.tokens)]
        self._prompts = sorted(keyed, key=lambda pair: pair[0])

    def model(self) -> ContextModel:
        """Fit everything, each step given those before it."""
        model = unfitted_model(self._tables.shape)
        if len(self._prompts) < self._knobs.least_prompts:
            return model
        for context in (Context.WORD, Context.TOKEN):
            model = self._with_strength(model, context, self._token_prior)
        model, by_fold = self._with_regression(model)
        for context in (Context.PAIR, Context.TRIPLE):
            model = self._with_strength(model, context, self._context_prior(by_fold))
        return self._judged(model, by_fold)

    def _past(
        self,
        upto: Context,
        tokens: float = np.inf,
        prompts: int | None = None,
    ) -> Iterator[_Past]:
        """Past prompts in order of their keys, until enough tokens were read."""
        count = 0
        for key, prompt in self._prompts[:prompts]:
            reading = read(
                self._tables,
                prompt.query.tokens,
                max_tokens=self._knobs.max_tokens,
                own_cells=prompt.cells(self._tables.shape),
                contexts=tuple(Context)[: upto + 1],
            )
            weight = float(np.sqrt(_REFERENCE_TOKENS / len(reading.positions)))
            yield _Past(prompt=prompt, reading=reading, fold=key % FOLDS, weight=weight)
            count += len(reading.positions)
            if count >= tokens:
                return

    def _key(self, prompt: RoutedPrompt) -> int:
        """A number drawn from the prompt's tokens, whatever its place in the history."""
        keys = self._tables.keys(prompt.query.tokens)[Context.TRIPLE]
        return int(np.bitwise_xor.reduce(keys) >> np.uint64(7))

    def _with_strength(
        self,
        model: ContextModel,
        context: Context,
        prior: Callable[[ContextModel, _Past, Context], NDArray[np.float32]],
    ) -> ContextModel:
        loss = StrengthLoss(self._tables.shape.layers)
        for past in self._past(context, tokens=self._knobs.strength_tokens):
            evidence = past.reading.evidence[context]
            loss.add(evidence, prior(model, past, context), past.spreads(self._tables), past.weight)
        strengths = model.strengths.copy()
        strengths[context] = loss.best()
        return replace(model, strengths=strengths)

    def _token_prior(
        self, model: ContextModel, past: _Past, context: Context
    ) -> NDArray[np.float32]:
        """What is expected of each token before this context is looked at."""
        shape = (len(past.reading.positions), *self._mean.shape)
        if context is Context.WORD:
            return np.broadcast_to(self._mean, shape)
        upto = past.reading.token_estimates(self._mean, model.strengths, Context.WORD)
        return upto[past.reading.index]

    def _with_regression(
        self, model: ContextModel
    ) -> tuple[ContextModel, list[NDArray[np.float32]]]:
        basis = token_basis(self._tables, model.strengths, self._knobs)
        model = replace(model, basis=basis)
        regression = Regression()
        for past in self._past(Context.TOKEN):
            tokens = past.reading.token_estimates(self._mean, model.strengths, Context.TOKEN)
            features = past.reading.features(tokens, self._mean, basis)
            left = past.spreads(self._tables) - tokens[past.reading.index]
            regression.add(features, left, past.weight, past.fold)
        weights, by_fold = regression.solve()
        return replace(model, weights=by_layer(weights, self._tables.shape)), by_fold

    def _context_prior(
        self, by_fold: list[NDArray[np.float32]]
    ) -> Callable[[ContextModel, _Past, Context], NDArray[np.float32]]:
        def prior(model: ContextModel, past: _Past, context: Context) -> NDArray[np.float32]:
            tokens = past.reading.token_estimates(self._mean, model.strengths, Context.TOKEN)
            features = past.reading.features(tokens, self._mean, model.basis)
            added = (features @ by_fold[past.fold]).reshape(-1, *self._mean.shape)
            expected = tokens[past.reading.index] + added
            if context is Context.TRIPLE:
                return past.reading.backed_off(expected, model.strengths, Context.PAIR)
            return expected

        return prior

    def _judged(self, model: ContextModel, by_fold: list[NDArray[np.float32]]) -> ContextModel:
        """Sharpened and calibrated by forecasts of past prompts."""
        raw, actual, lengths, partial = [], [], [], []
        fold_models = [replace(model, weights=by_layer(w, self._tables.shape)) for w in by_fold]
        for past in self._past(Context.TRIPLE, prompts=self._knobs.judged_prompts):
            spread, paired = estimate(past.reading, self._mean, fold_models[past.fold])
            raw.append(spread)
            actual.append(past.prompt.frequencies(self._tables.shape))
            lengths.append(len(past.prompt.query.tokens))
            partial.append((past.reading.unknown, paired))
        sharpening = fit_sharpening(np.stack(raw), np.stack(actual), np.array(lengths))
        sharp = [sharpening.apply(f, n) for f, n in zip(raw, lengths, strict=True)]
        supports = [
            support_of(f, n, unknown, paired)
            for f, n, (unknown, paired) in zip(sharp, lengths, partial, strict=True)
        ]
        divergences = layer_divergences(np.stack(sharp), np.stack(actual)).mean(axis=1)
        sizes = np.array(lengths)[:, None, None] * self._tables.shape.top_k
        return replace(
            model,
            sharpening=sharpening,
            calibration=fit_calibration(supports, divergences),
            count_spread=fit_count_spread(
                np.stack(sharp) * sizes, np.stack(actual) * sizes, np.array(lengths)
            ),
        )


def support_of(
    frequencies: NDArray[np.float64], tokens: int, unknown: float, paired: float
) -> Support:
    """What a forecast of this spread stood on."""
    logs = np.log2(np.maximum(frequencies, 1e-12))
    entropy = float(-(frequencies * logs).sum(axis=1).mean())
    return Support(tokens=tokens, unknown=unknown, paired=paired, entropy=entropy)
