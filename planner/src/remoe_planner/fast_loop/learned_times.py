"""How long things take, learned from requests as they end: for a service that has no profile.

Times of a request's two phases are told apart by a fading least squares; the rest are fading
means. Every estimate starts from a stated one, which counts as a few requests.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from remoe_planner.fast_loop.situation import PassTimes

_FADE = 0.98
_PRIOR_REQUESTS = 2.0
_PRIOR_TOKENS = np.array([64.0, 64.0])
_LEAST_STEP_SECONDS = 1e-5


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """What one request took, by the main model's own account.

    Attributes:
        prompt_tokens: prefilled.
        answer_tokens: generated.
        main_seconds: of the main model.
        rows: assignments that functions computed.
        function_seconds: in which they did, network included.
    """

    prompt_tokens: int
    answer_tokens: int
    main_seconds: float
    rows: float = 0.0
    function_seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LearnedTimes:
    """Estimates so far.

    Attributes:
        stated: where they began.
        gram: [2, 2] fading sums of products of (prompt tokens, answer tokens).
        moment: [2] fading sums of those times the seconds.
        rows: fading sum of rows at functions.
        function_seconds: fading sum of their seconds.
    """

    stated: PassTimes = field(default_factory=PassTimes)
    gram: NDArray[np.float64] = field(default_factory=lambda: np.zeros((2, 2)))
    moment: NDArray[np.float64] = field(default_factory=lambda: np.zeros(2))
    rows: float = 0.0
    function_seconds: float = 0.0

    def after(self, request: Finished) -> LearnedTimes:
        """With one more request; one that took no time or tokens says nothing."""
        tokens = np.array([request.prompt_tokens, request.answer_tokens], np.float64)
        if not (tokens.sum() > 0 and request.main_seconds > 0):
            return self
        return replace(
            self,
            gram=self.gram * _FADE + np.outer(tokens, tokens),
            moment=self.moment * _FADE + tokens * request.main_seconds,
            rows=self.rows * _FADE + request.rows,
            function_seconds=self.function_seconds * _FADE + request.function_seconds,
        )

    @property
    def times(self) -> PassTimes:
        """The estimates now."""
        token, step = self._by_phase()
        row = self.stated.remote_row_seconds
        if self.rows > 0:
            row = self.function_seconds / self.rows
        return replace(
            self.stated,
            token_seconds=token,
            step_seconds=max(step, _LEAST_STEP_SECONDS),
            remote_row_seconds=row,
        )

    def _by_phase(self) -> tuple[float, float]:
        prior = np.diag(_PRIOR_REQUESTS * _PRIOR_TOKENS**2)
        begun = np.array([self.stated.token_seconds, self.stated.step_seconds])
        found = np.linalg.solve(self.gram + prior, self.moment + prior @ begun)
        token, step = np.maximum(found, 0.0).tolist()
        return token, step
