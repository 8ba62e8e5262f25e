"""Which functions a prompt will need, told from the history before the model is even awake.

Never in a request's way: without a history, or with a broken one, there is no forecast, and
main wakes the functions that it calls.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from remoe_functions.checkpoint.checkpoint import Checkpoint
from remoe_functions.checkpoint.errors import CheckpointError
from remoe_functions.gateway.config import ForecastConfig, ModelConfig
from remoe_functions.gateway.embedding import embedding_table
from remoe_functions.history.reader import read_history
from remoe_planner.activation_history import ActivationHistory
from remoe_planner.forecast import Forecaster, SearchKnobs
from remoe_planner.plan import Plan
from remoe_planner.prompt_vector import prompt_vector
from remoe_planner.waking import functions_to_wake

_logger = logging.getLogger(__name__)

_Signature = tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Knowledge:
    """A history made ready: the forecaster, and the decode steps a request usually takes."""

    forecaster: Forecaster
    decode_tokens: int


class FunctionForecast:
    """Forecasts for one model. `functions_for` may run in any thread."""

    def __init__(
        self, plan: Plan, table: NDArray[Any], history: Path, config: ForecastConfig
    ) -> None:
        self._plan = plan
        self._table = table
        self._history = history
        self._config = config
        self._knowledge: _Knowledge | None = None
        self._signature: _Signature | None = None

    @classmethod
    def open(cls, model: ModelConfig, plan: Plan, config: ForecastConfig) -> Self | None:
        """The forecasts of a configured model; None where there is nothing to forecast with."""
        if not config.enabled or model.history is None or not plan.functions:
            return None
        try:
            table = embedding_table(Checkpoint.open(model.directory))
        except CheckpointError as error:
            _logger.warning("no forecasts for %s: %s", model.name, error)
            return None
        if table is None:
            _logger.warning("no forecasts for %s: no embedding table found", model.name)
            return None
        return cls(plan, table, model.history, config)

    def functions_for(self, prompt: Sequence[int], max_tokens: int) -> tuple[str, ...] | None:
        """Names of the functions the prompt will need; None where history tells nothing."""
        knowledge = self._knowledge
        if knowledge is None:
            return None
        forecast = knowledge.forecaster.forecast(prompt_vector(self._table, prompt))
        return functions_to_wake(
            self._plan,
            forecast,
            len(prompt),
            decode_tokens=min(max_tokens, knowledge.decode_tokens),
            min_probability=self._config.threshold,
        )

    async def run(self) -> None:
        """Read the history again whenever it grew, until cancelled."""
        while True:
            try:
                await asyncio.to_thread(self.refresh)
            except (OSError, ValueError) as error:
                _logger.warning("cannot read the history at %s: %s", self._history, error)
            await asyncio.sleep(self._config.history_refresh_seconds)

    def refresh(self) -> None:
        """Read the history if its files changed.

        Raises:
            OSError: it is there but cannot be read.
        """
        signature = _signature(self._history)
        if signature == self._signature:
            return
        history = read_history(self._history, self._plan.architecture)
        self._knowledge = self._learn(history) if len(history) else None
        self._signature = signature

    def _learn(self, history: ActivationHistory) -> _Knowledge:
        return _Knowledge(
            forecaster=Forecaster(history, SearchKnobs(alpha=self._config.neighbors)),
            decode_tokens=int(np.mean(history.decode_tokens)),
        )


def _signature(directory: Path) -> _Signature:
    """What changes when a record is appended or a segment dropped."""
    if not directory.is_dir():
        return ()
    return tuple(sorted((path.name, path.stat().st_size) for path in directory.iterdir()))
