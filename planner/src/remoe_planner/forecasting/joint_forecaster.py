"""Tokens in their context and the prompt's vector together: the best forecast known here.

The two err differently: a token's routing is known from its neighborhood, a prompt's topic and its
answer from its embeddings, which know spellings never seen. How much each says is learned as
requests end (`joint_share`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from numpy.typing import NDArray

from remoe_planner.forecasting.context_forecaster import ContextForecaster
from remoe_planner.forecasting.joint_share import JointShare
from remoe_planner.forecasting.outlook import Outlook
from remoe_planner.forecasting.routed_prompt import Query, RoutedPrompt
from remoe_planner.forecasting.shape import RoutingShape
from remoe_planner.forecasting.vector_forecaster import VectorForecaster


class JointForecaster:
    """Not safe for threads that observe; forecasts alone may run together."""

    def __init__(
        self, shape: RoutingShape, *, context: ContextForecaster, vector: VectorForecaster
    ) -> None:
        self._shape = shape
        self._context = context
        self._vector = vector
        self._joint = JointShare()

    @property
    def nbytes(self) -> int:
        """Bytes of the state."""
        return self._context.nbytes + self._vector.nbytes

    @property
    def share(self) -> float:
        """How much of a forecast the vector says, 0 to 1."""
        return self._joint.share

    def observe(self, prompt: RoutedPrompt) -> None:
        """Judge both by one more request, then learn from it.

        Raises:
            ValueError: its routing is of another shape, or its vector of another width.
        """
        actual = prompt.frequencies(self._shape)
        if len(prompt.experts):
            query = prompt.query
            self._joint.judge(self._context.forecast(query), self._vector.forecast(query), actual)
        self._context.observe(prompt)
        self._vector.observe(prompt)

    def refit(self, recent: Sequence[RoutedPrompt]) -> None:
        """Fit both anew; seconds. What each says is learned on."""
        self._context.refit(recent)
        self._vector.refit()

    def forecast(self, query: Query) -> Outlook:
        return self._joint.mixed(self._context.forecast(query), self._vector.forecast(query))

    def arrays(self) -> Mapping[str, NDArray[Any]]:
        return {
            **{f"context.{name}": array for name, array in self._context.arrays().items()},
            **{f"vector.{name}": array for name, array in self._vector.arrays().items()},
            **self._joint.arrays(),
        }
