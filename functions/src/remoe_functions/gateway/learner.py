"""The context forecaster as it learns from running requests, shared by threads.

Every prompt whose routing main reported is counted once, however often it comes. Fitting is not
done here: `fitting` makes a model of the recent prompts elsewhere, and `adopt` takes it.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray

from remoe_functions.gateway.recent_prompts import RecentPrompts
from remoe_functions.history.salt import fingerprint
from remoe_planner.forecasting.context_forecaster import ContextForecaster, ContextKnobs
from remoe_planner.forecasting.outlook import Outlook
from remoe_planner.forecasting.routed_prompt import Query, RoutedPrompt
from remoe_planner.forecasting.shape import RoutingShape

Arrays = Mapping[str, NDArray[Any]]
FITTED_PROMPTS = 1_500
_REMEMBERED = 1 << 16
# What only one place in one prompt ever said is not saved: it may be somebody's secret.
_SAVED_WHEN_SEEN = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class LearnerKnobs:
    """Bounds of memory.

    Attributes:
        table_bytes: of all that is counted, Python's own index included.
        recent_bytes: of the prompts a fit is made from.
    """

    table_bytes: int = 256 << 20
    recent_bytes: int = 64 << 20

    def __post_init__(self) -> None:
        for name in ("table_bytes", "recent_bytes"):
            if getattr(self, name) < 1 << 20:
                raise ValueError(f"{name} must be >= 1 MiB, got {getattr(self, name)}")


class Learner:
    """Safe for threads: a forecast waits for one prompt to be counted, at most."""

    def __init__(
        self,
        shape: RoutingShape,
        words: NDArray[np.int64],
        salt: bytes,
        knobs: LearnerKnobs | None = None,
    ) -> None:
        """A learner that knows nothing.

        Args:
            shape: of the routing.
            words: [vocabulary] class of each token (`word_classes`).
            salt: the history's secret.
            knobs: its bounds.
        """
        knobs = knobs or LearnerKnobs()
        self.shape = shape
        self.words = words
        self.salt = salt
        self._forecaster = ContextForecaster(
            shape,
            words=words,
            knobs=ContextKnobs.within(shape, knobs.table_bytes),
            salt=self.key_salt,
        )
        self._recent = RecentPrompts(max_bytes=knobs.recent_bytes, max_prompts=FITTED_PROMPTS)
        self._counted: OrderedDict[int, None] = OrderedDict()
        self._lock = threading.Lock()
        self._learned = 0
        self._fitted_on = 0
        self._learned_when_fitted = 0

    @property
    def key_salt(self) -> int:
        """The salt of the tables' keys; it tells nothing of the secret that it is drawn from."""
        return int.from_bytes(blake2b(digest_size=8, key=self.salt, person=b"tables").digest())

    @property
    def learned(self) -> int:
        """Distinct prompts counted, in earlier lives too."""
        return self._learned

    @property
    def unfitted(self) -> int:
        """Of those, how many came since the prompts that the last fit was made from."""
        return self._learned - self._learned_when_fitted

    @property
    def fitted_on(self) -> int:
        """Prompts that the present fit was made from; 0 for none."""
        return self._fitted_on

    @property
    def recent(self) -> int:
        """Prompts that a fit could be made from now."""
        return len(self._recent)

    @property
    def nbytes(self) -> int:
        """Bytes of tables, model and recent prompts."""
        return self._forecaster.nbytes + self._recent.nbytes

    def forecast(self, tokens: Sequence[int]) -> Outlook | None:
        """What the tokens tell; None before the first prompt was counted."""
        query = Query(tokens=np.asarray(tokens, np.int64))
        with self._lock:
            return self._forecaster.forecast(query) if self._learned else None

    def learn(self, tokens: Sequence[int], experts: NDArray[Any]) -> bool:
        """Count a prompt by the routing [n, layers, top_k] of its last n tokens; False if known.

        Raises:
            ValueError: the routing is of another shape, or of more tokens than there are.
        """
        if not 0 < len(experts) <= len(tokens):
            raise ValueError(f"experts must have 1..{len(tokens)} rows, got {len(experts)}")
        last = np.asarray(tokens[-len(experts) :], np.int64)
        prompt = RoutedPrompt(query=Query(tokens=last), experts=experts)
        prompt.cells(self.shape)
        mark = fingerprint(self.salt, tokens)
        with self._lock:
            if not self._is_new(mark):
                return False
            self._forecaster.observe(prompt)
            self._recent.add(mark, prompt)
            self._learned += 1
        return True

    def prompts_to_fit(self) -> list[RoutedPrompt]:
        """The recent prompts, oldest first."""
        with self._lock:
            return self._recent.newest()

    def adopt(self, model: Arrays, *, prompts: int, learned: int) -> None:
        """Take a model fitted on so many prompts when so many were learned.

        Raises:
            KeyError, ValueError: it is none, or one of another shape.
        """
        with self._lock:
            self._forecaster.adopt(model)
            self._fitted_on, self._learned_when_fitted = prompts, learned

    def forget_half(self) -> None:
        """Halve the weight of what was counted: the traffic has changed."""
        with self._lock:
            self._forecaster.forget_half()

    def state(self) -> dict[str, NDArray[Any]]:
        """All that may be saved, copied: no prompt, and nothing that was seen only once."""
        with self._lock:
            arrays = {
                name: np.array(array)
                for name, array in self._forecaster.arrays(_SAVED_WHEN_SEEN).items()
            }
            counts = np.array([self._learned, self._fitted_on, self._learned_when_fitted])
        return arrays | {"counts": counts}

    def restore(self, arrays: Arrays) -> None:
        """Become what `state` was taken from.

        Raises:
            KeyError, ValueError: it is no state, or one of another shape.
        """
        learned, fitted_on, when_fitted = (int(n) for n in arrays["counts"])
        with self._lock:
            self._forecaster.restore(arrays)
            self._learned, self._fitted_on = learned, fitted_on
            self._learned_when_fitted = when_fitted

    def _is_new(self, mark: int) -> bool:
        if mark in self._counted:
            self._counted.move_to_end(mark)
            return False
        self._counted[mark] = None
        if len(self._counted) > _REMEMBERED:
            self._counted.popitem(last=False)
        return True
