"""The best forecaster known here: each token from its context, backing off as evidence thins.

Trigram, pair, token corrected by regression on what stands around it, word, mean of all tokens;
then sharpened. What is counted (`Tables`) follows every request; what is fitted (`ContextModel`)
is renewed by `refit` on recent prompts, which the caller holds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from remoe_planner.forecasting.context_estimate import estimate
from remoe_planner.forecasting.context_keys import Context
from remoe_planner.forecasting.context_model import fitted_model, part, unfitted_model
from remoe_planner.forecasting.fitting import Fit, FitKnobs, support_of
from remoe_planner.forecasting.outlook import Basis, Outlook, uniform_outlook
from remoe_planner.forecasting.reading import Reading, read
from remoe_planner.forecasting.routed_prompt import Query, RoutedPrompt
from remoe_planner.forecasting.shape import RoutingShape
from remoe_planner.forecasting.tables import Tables

_LEAST = 128
_ROW_INDEX_BYTES, _SLOT_INDEX_BYTES = 120, 220


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextKnobs:
    """Bounds of memory and time.

    Attributes:
        words: rows of the table by word.
        tokens: rows of the table by token.
        pairs: routings kept by (previous token, token).
        triples: routings kept by (two previous tokens, token).
        max_tokens: of a long prompt, read at most about this many tokens.
    """

    words: int = 16_384
    tokens: int = 16_384
    pairs: int = 131_072
    triples: int = 131_072
    max_tokens: int = 128

    def __post_init__(self) -> None:
        for name in self.__slots__:
            if getattr(self, name) < _LEAST:
                raise ValueError(f"{name} must be >= {_LEAST}, got {getattr(self, name)}")

    @classmethod
    def within(cls, shape: RoutingShape, nbytes: int) -> ContextKnobs:
        """As many rows and slots as fit in so many bytes of memory, up to the defaults.

        Half goes to the rows of counts, half to the slots. What Python's own index of keys takes,
        about a hundred bytes a row and two hundred a slot, is counted in.
        """
        row_bytes = shape.cells + 4 * shape.layers + _ROW_INDEX_BYTES
        slot_bytes = shape.picks * (1 if shape.experts <= 256 else 2) + _SLOT_INDEX_BYTES
        rows, slots = nbytes // 4 // row_bytes, nbytes // 4 // slot_bytes
        return cls(
            words=int(np.clip(rows, _LEAST, cls().words)),
            tokens=int(np.clip(rows, _LEAST, cls().tokens)),
            pairs=int(np.clip(slots, _LEAST, cls().pairs)),
            triples=int(np.clip(slots, _LEAST, cls().triples)),
        )

    @property
    def capacities(self) -> dict[Context, int]:
        return dict(zip(Context, (self.words, self.tokens, self.pairs, self.triples), strict=True))


class ContextForecaster:
    """Not safe for threads that observe; forecasts alone may run together."""

    def __init__(
        self,
        shape: RoutingShape,
        *,
        words: NDArray[np.int64] | None = None,
        knobs: ContextKnobs | None = None,
        salt: int = 0,
    ) -> None:
        """An empty forecaster.

        Args:
            shape: of the routing.
            words: [vocabulary] class of each token (`word_classes`), None for none.
            knobs: its bounds.
            salt: a secret, 0 to 2^64 - 1, without which `arrays` tell nothing of the prompts; a
                state restored under another salt matches nothing.
        """
        self._shape = shape
        self._words = words
        self._knobs = knobs or ContextKnobs()
        self._tables = Tables(shape, words, self._knobs.capacities, salt=salt)
        self._model = unfitted_model(shape)

    @property
    def nbytes(self) -> int:
        """Bytes of the state."""
        return self._tables.nbytes + self._model.nbytes

    def observe(self, prompt: RoutedPrompt) -> None:
        """Count one more request.

        Raises:
            ValueError: its routing is of another shape.
        """
        self._tables.add(prompt)

    def forget_half(self) -> None:
        """Halve the weight of all that was counted."""
        self._tables.halve()

    def refit(self, recent: Sequence[RoutedPrompt], knobs: FitKnobs | None = None) -> None:
        """Fit the numbers anew on these prompts; what was counted stays. Seconds, not milliseconds.

        A prompt that comes twice is used once: its copy would give it away, and every forecast
        would be thought better than that of a new prompt is.

        Raises:
            ValueError: a prompt's routing is of another shape.
        """
        distinct = list({prompt.query.tokens.tobytes(): prompt for prompt in recent}.values())
        most = max(256, sum(len(prompt.query.tokens) for prompt in distinct))
        exact = Tables(
            self._shape, self._words, dict.fromkeys(Context, most), dtype=np.uint16, per_key=most
        )
        for prompt in distinct:
            exact.add(prompt)
        self._model = Fit(exact, distinct, knobs or FitKnobs()).model()

    def forecast(self, query: Query) -> Outlook:
        if not self._tables.tokens:
            return uniform_outlook(self._shape.table)
        reading = read(self._tables, query.tokens, max_tokens=self._knobs.max_tokens)
        return self._outlook(reading, len(query.tokens))

    def _outlook(self, reading: Reading, tokens: int) -> Outlook:
        mean = self._tables.mean()
        spread, paired = estimate(reading, mean, self._model)
        sharp = self._model.sharpening.apply(spread, tokens)
        calibration = self._model.calibration
        support = support_of(sharp, tokens, reading.unknown, paired)
        return Outlook(
            frequencies=sharp,
            basis=Basis.MEAN if reading.unknown >= 1 else Basis.CONTEXT,
            evidence=len(reading.positions) * (1 - reading.unknown),
            known=1 - reading.unknown,
            trust=calibration.trust(support) if calibration and tokens else None,
            count_spread=self._model.count_spread,
        )

    def arrays(self, least_seen: int = 1) -> Mapping[str, NDArray[Any]]:
        """The state as plain arrays; no prompt among them.

        Args:
            least_seen: pairs and triples of tokens that came less often are left out.
        """
        tables = self._tables.arrays(least_seen)
        return {f"tables.{name}": array for name, array in tables.items()} | self.model_arrays()

    def model_arrays(self) -> dict[str, NDArray[Any]]:
        """What is fitted, as plain arrays."""
        return {f"model.{name}": array for name, array in self._model.arrays().items()}

    def adopt(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Take what was fitted elsewhere (`model_arrays`); what was counted stays.

        Raises:
            KeyError, ValueError: the arrays are no model, or one of another shape.
        """
        self._model = fitted_model(part(arrays, "model"), self._shape)

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Become what `arrays` was taken from.

        Raises:
            KeyError, ValueError: the arrays are no such state, or of another shape.
        """
        model = fitted_model(part(arrays, "model"), self._shape)
        self._tables.restore(part(arrays, "tables"))
        self._model = model
