"""A served model with the ways to its parts: its door, its functions, its forecasts."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass

from remoe_functions.gateway.forecasting import FunctionForecast
from remoe_functions.gateway.function_waking import FunctionWaker
from remoe_functions.gateway.generation import Generation
from remoe_functions.gateway.job import Job
from remoe_functions.gateway.main_client import MainClient
from remoe_functions.gateway.metrics import ModelMetrics
from remoe_functions.gateway.parts import PartsView
from remoe_functions.gateway.patience import Patience
from remoe_functions.gateway.served_model import ServedModel
from remoe_functions.gateway.waking import MainDoor

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelService:
    """One model, ready to serve. Belongs to one event loop."""

    model: ServedModel
    door: MainDoor
    waker: FunctionWaker
    forecast: FunctionForecast | None
    client: MainClient
    parts: PartsView
    metrics: ModelMetrics
    patience: Patience

    def generation(self, job: Job) -> Generation:
        return Generation(
            job,
            door=self.door,
            client=self.client,
            metrics=self.metrics,
            patience=self.patience,
        )

    async def prepare(self, jobs: tuple[Job, ...]) -> tuple[str, ...] | None:
        """Forecast the functions that the jobs' prompts need and begin to wake them.

        Returns their names, or None where history tells nothing. Never raises on trouble with
        the forecast: a request is served without it.
        """
        if self.forecast is None:
            return None
        prompts = {job.prompt: job.max_tokens for job in jobs}
        found: list[tuple[str, ...]] = []
        for prompt, max_tokens in prompts.items():
            try:
                names = await asyncio.to_thread(self.forecast.functions_for, prompt, max_tokens)
            except Exception:
                _logger.exception("no forecast for a prompt")
                continue
            if names is not None:
                found.append(names)
                self.waker.begin(names)
        return tuple(dict.fromkeys(name for names in found for name in names)) if found else None

    def function_wakes(self) -> Mapping[str, int]:
        """How often each of the plan's functions was woken so far."""
        parts = self.parts.parts
        names = (function.name for function in self.model.plan.functions)
        return {name: parts[name].wakes for name in names if name in parts}

    def woken_since(self, before: Mapping[str, int]) -> tuple[str, ...]:
        """The functions woken since then, by whomever."""
        now = self.function_wakes()
        return tuple(name for name, wakes in now.items() if wakes > before.get(name, wakes))
