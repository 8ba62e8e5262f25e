"""A served model with the ways to its parts: its door, its functions, its forecasts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from remoe_functions.gateway.forecast_upkeep import Forecasting
from remoe_functions.gateway.foresight import Foresight
from remoe_functions.gateway.function_waking import FunctionWaker
from remoe_functions.gateway.generation import Generation
from remoe_functions.gateway.job import Job
from remoe_functions.gateway.main_client import MainClient
from remoe_functions.gateway.metrics import ModelMetrics
from remoe_functions.gateway.parts import PartsView
from remoe_functions.gateway.patience import Patience
from remoe_functions.gateway.recorded_usage import RecordedUsage
from remoe_functions.gateway.served_model import ServedModel
from remoe_functions.gateway.waking import MainDoor
from remoe_planner.prices import Prices


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelService:
    """One model, ready to serve. Belongs to one event loop."""

    model: ServedModel
    prices: Prices
    door: MainDoor
    waker: FunctionWaker
    forecasting: Forecasting | None
    client: MainClient
    parts: PartsView
    metrics: ModelMetrics
    patience: Patience

    def generation(self, job: Job, foresight: Foresight | None = None) -> Generation:
        """A job's run; main is asked where its tokens go if there is foresight."""
        return Generation(
            job if foresight is None else replace(job, report_routing=True),
            door=self.door,
            client=self.client,
            metrics=self.metrics,
            patience=self.patience,
            on_prefilled=None if foresight is None else foresight.prefilled,
        )

    def foresee(self, jobs: tuple[Job, ...]) -> Foresight | None:
        """The forecasts of a request's prompts; None where the model has none."""
        if self.forecasting is None:
            return None
        return Foresight(jobs, forecasting=self.forecasting, waker=self.waker, metrics=self.metrics)

    @property
    def usage(self) -> RecordedUsage:
        """What was recorded of late; nothing where no history is kept."""
        if self.forecasting is None:
            return RecordedUsage.nothing(self.model.plan.architecture.shape)
        return self.forecasting.usage

    def function_wakes(self) -> Mapping[str, int]:
        """How often each of the plan's functions was woken so far."""
        parts = self.parts.parts
        names = (function.name for function in self.model.plan.functions)
        return {name: parts[name].wakes for name in names if name in parts}

    def woken_since(self, before: Mapping[str, int]) -> tuple[str, ...]:
        """The functions woken since then, by whomever."""
        now = self.function_wakes()
        return tuple(name for name, wakes in now.items() if wakes > before.get(name, wakes))
