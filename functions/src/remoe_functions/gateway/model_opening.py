"""From a model's configuration to its service: what a gateway opens, and opens again if it must.

How services are put together into a gateway is `composition`'s.
"""

from __future__ import annotations

from dataclasses import dataclass

import httpx

from remoe_functions.gateway.config import GatewayConfig, ModelConfig, read_profile
from remoe_functions.gateway.forecast_upkeep import Forecasting
from remoe_functions.gateway.function_waking import FunctionWaker, WakeEconomy
from remoe_functions.gateway.main_client import MainClient
from remoe_functions.gateway.main_token import Token, TokenFile
from remoe_functions.gateway.metrics import Metrics
from remoe_functions.gateway.model_service import ModelService
from remoe_functions.gateway.parts import PartsView
from remoe_functions.gateway.patience import Patience
from remoe_functions.gateway.plan_watch import PlanTerms, PlanWatch
from remoe_functions.gateway.served_model import ServedModel
from remoe_functions.gateway.waking import DoorKnobs, MainDoor
from remoe_functions.runtime.runtime import Runtime


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelOpening:
    """What one model's service is made from.

    Attributes:
        token: what main knows the gateway by where the model has no token of its own.
        http: what is sent to mains with.
    """

    config: GatewayConfig
    model: ModelConfig
    runtime: Runtime
    parts: PartsView
    metrics: Metrics
    http: httpx.AsyncClient
    token: str

    def __call__(self) -> ModelService:
        """Read the model's files; seconds, so not on the event loop once requests come.

        Raises:
            ConfigError: a file that the configuration names is missing or wrong.
        """
        model, limits = self.model, self.config.limits
        served = ServedModel.open(model)
        metrics, economy = self.metrics.of(model.name), self._economy(served)
        return ModelService(
            model=served,
            prices=economy.prices,
            door=self._door(),
            waker=FunctionWaker(
                runtime=self.runtime, parts=self.parts, metrics=metrics, economy=economy
            ),
            forecasting=Forecasting.open(
                model, served, self.config.forecast, metrics, _plan_watch(model, economy)
            ),
            client=MainClient(self.http, self._token()),
            parts=self.parts,
            metrics=metrics,
            patience=Patience(
                wait_seconds=limits.held_wait_seconds, max_resumes=limits.max_resumes
            ),
        )

    def _door(self) -> MainDoor:
        limits = self.config.limits
        return MainDoor(
            self.model.main_part,
            runtime=self.runtime,
            parts=self.parts,
            knobs=DoorKnobs(max_held=limits.max_held, wait_seconds=limits.held_wait_seconds),
            metrics=self.metrics.of(self.model.name),
        )

    def _token(self) -> Token:
        path, token = self.model.token_file, self.token
        return (lambda: token) if path is None else TokenFile(path)

    def _economy(self, served: ServedModel) -> WakeEconomy:
        model = self.model
        return WakeEconomy(
            plan=served.plan,
            prices=self.config.prices_of(model),
            main_part=model.main_part,
            profile=None if model.profile is None else read_profile(model.profile),
            slo=model.slo.slo,
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
