"""The composition root: the configuration to a whole gateway, in the order of the story."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Self

from starlette.types import ASGIApp

from remoe_functions.gateway.admission import Admission
from remoe_functions.gateway.app import build_app
from remoe_functions.gateway.cold_starts import ColdStarts
from remoe_functions.gateway.completion import House
from remoe_functions.gateway.config import (
    ConfigError,
    GatewayConfig,
    ModelConfig,
    read_profile,
)
from remoe_functions.gateway.draining import Drain
from remoe_functions.gateway.forecast_upkeep import Forecasting
from remoe_functions.gateway.function_waking import FunctionWaker, WakeEconomy
from remoe_functions.gateway.keys import KeyRing
from remoe_functions.gateway.main_client import MainClient
from remoe_functions.gateway.metrics import Metrics
from remoe_functions.gateway.model_service import ModelService
from remoe_functions.gateway.parts import PartsView
from remoe_functions.gateway.patience import Patience
from remoe_functions.gateway.plan_watch import PlanTerms, PlanWatch
from remoe_functions.gateway.served_model import ServedModel
from remoe_functions.gateway.services import Services
from remoe_functions.gateway.standing_cost import BilledModel, StandingCost
from remoe_functions.gateway.static_runtime import StaticRuntime
from remoe_functions.gateway.waking import DoorKnobs, MainDoor
from remoe_functions.runtime.control_client import CONTROL, ControlClient
from remoe_functions.runtime.runtime import Runtime
from remoe_planner.prices import Prices

FUNCTION_TOKEN = "REMOE_FUNCTION_TOKEN"  # noqa: S105 - the variable's name, not its value

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """A gateway built and not yet running."""

    app: ASGIApp
    drain: Drain
    services: Services

    @classmethod
    def build(cls, config: GatewayConfig, runtime: Runtime, *, keys: KeyRing, token: str) -> Self:
        """Put a gateway together.

        Args:
            config: checked.
            runtime: where main models and functions are.
            keys: who may enter.
            token: what main knows the gateway by; empty for none.

        Raises:
            ConfigError: a file that the configuration names is missing or wrong.
        """
        limits = config.limits
        prices = Prices(**config.prices.model_dump())
        parts, metrics = PartsView(runtime), Metrics()
        client = MainClient(token=token, silence_seconds=limits.silence_seconds)
        workshop = _Workshop(
            config=config, runtime=runtime, parts=parts, metrics=metrics, client=client
        )
        models = {model.name: workshop.service(model) for model in config.models}
        drain = Drain(limits.drain_seconds)
        services = Services(
            models=models,
            house=House(admission=Admission(limits.max_running), drain=drain, prices=prices),
            limits=limits,
            keys=keys,
            parts=parts,
            metrics=metrics,
        )
        billed = [
            BilledModel(name=m.name, main_part=m.main_part, plan=models[m.name].model.plan)
            for m in config.models
        ]
        StandingCost(billed, parts, prices, metrics)
        ColdStarts(parts, metrics.registry)
        return cls(
            app=build_app(services, _Beside(services, client)), drain=drain, services=services
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Workshop:
    """What the services of all models are made from."""

    config: GatewayConfig
    runtime: Runtime
    parts: PartsView
    metrics: Metrics
    client: MainClient

    def service(self, model: ModelConfig) -> ModelService:
        served, limits = ServedModel.open(model), self.config.limits
        metrics = self.metrics.of(model.name)
        economy = self._economy(model, served)
        return ModelService(
            model=served,
            door=MainDoor(
                model.main_part,
                runtime=self.runtime,
                parts=self.parts,
                knobs=DoorKnobs(max_held=limits.max_held, wait_seconds=limits.held_wait_seconds),
                metrics=metrics,
            ),
            waker=FunctionWaker(
                runtime=self.runtime,
                parts=self.parts,
                metrics=metrics,
                economy=economy,
            ),
            forecasting=Forecasting.open(
                model, served, self.config.forecast, metrics, _plan_watch(model, economy)
            ),
            client=self.client,
            parts=self.parts,
            metrics=metrics,
            patience=Patience(
                wait_seconds=limits.held_wait_seconds, max_resumes=limits.max_resumes
            ),
        )

    def _economy(self, model: ModelConfig, served: ServedModel) -> WakeEconomy:
        return WakeEconomy(
            plan=served.plan,
            prices=Prices(**self.config.prices.model_dump()),
            main_part=model.main_part,
            profile=None if model.profile is None else read_profile(model.profile),
        )


def _plan_watch(model: ModelConfig, economy: WakeEconomy) -> PlanWatch | None:
    """Of a model on a machine that is known; without times no plan can be weighed."""
    if economy.profile is None:
        return None
    return PlanWatch(
        PlanTerms(
            plan=economy.plan,
            profile=economy.profile,
            prices=economy.prices,
            main_keep_alive_seconds=model.main_keep_alive_seconds,
        )
    )


class _Beside:
    """What runs beside the requests: the watch on the parts, and the reading of histories."""

    def __init__(self, services: Services, client: MainClient) -> None:
        self._services = services
        self._client = client

    @asynccontextmanager
    async def __call__(self) -> AsyncIterator[None]:
        forecasts = (s.forecasting for s in self._services.models.values())
        work = [self._services.parts.run(), *(f.run() for f in forecasts if f is not None)]
        tasks = [asyncio.create_task(job) for job in work]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._client.aclose()


def runtime_for(config: GatewayConfig) -> Runtime:
    """The runtime at $REMOE_CONTROL, or none at all where the models' addresses are fixed.

    Raises:
        ConfigError: neither is given.
    """
    fixed = {m.main_part: m.main_url for m in config.models if m.main_url is not None}
    if fixed:
        return StaticRuntime(fixed)
    path = os.environ.get(CONTROL)
    if not path:
        raise ConfigError(f"{CONTROL} is not set, and the models have no main_url")
    return ControlClient(path)
