"""The composition root: the configuration to a whole gateway, in the order of the story."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Self

import httpx
from starlette.types import ASGIApp

from remoe_functions.gateway.admission import Admission
from remoe_functions.gateway.app import build_app
from remoe_functions.gateway.cold_starts import ColdStarts
from remoe_functions.gateway.completion import House
from remoe_functions.gateway.config import ConfigError, GatewayConfig, ModelConfig
from remoe_functions.gateway.draining import Drain
from remoe_functions.gateway.key_directory import KeyDirectory
from remoe_functions.gateway.keys import KeyRing, KeySource
from remoe_functions.gateway.main_client import main_http
from remoe_functions.gateway.metrics import Metrics
from remoe_functions.gateway.model_entry import ModelEntry
from remoe_functions.gateway.model_opening import ModelOpening
from remoe_functions.gateway.parts import PartsView
from remoe_functions.gateway.runtimes import close_runtimes
from remoe_functions.gateway.services import Services
from remoe_functions.gateway.standing_cost import StandingCost
from remoe_functions.runtime.runtime import Runtime

FUNCTION_TOKEN = "REMOE_FUNCTION_TOKEN"  # noqa: S105 - the variable's name, not its value


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """A gateway built and not yet running."""

    app: ASGIApp
    drain: Drain
    services: Services

    @classmethod
    def build(
        cls, config: GatewayConfig, runtimes: Mapping[str, Runtime], *, keys: KeyRing, token: str
    ) -> Self:
        """Put a gateway together.

        Args:
            config: checked.
            runtimes: where each model's parts are, by the model's name.
            keys: who may use the models that have no keys of their own.
            token: what mains know the gateway by whose models have no token of their own; empty
                for none.

        Raises:
            ConfigError: outside of a cluster, where no model can be opened.
        """
        limits = config.limits
        metrics = Metrics([model.slo.slo for model in config.models])
        workshop = _Workshop(
            config=config,
            runtimes=runtimes,
            views={id(runtime): PartsView(runtime) for runtime in runtimes.values()},
            metrics=metrics,
            http=main_http(limits.silence_seconds),
            keys=keys,
            token=token,
        )
        entries = {model.name: workshop.entry(model) for model in config.models}
        if config.cluster is None:
            _open(entries)
        services = Services(
            models=entries,
            house=House(admission=Admission(limits.max_running), drain=Drain(limits.drain_seconds)),
            limits=limits,
            metrics=metrics,
        )
        StandingCost(entries, metrics)
        ColdStarts(entries, metrics.registry)
        app = build_app(services, _Beside(services, workshop))
        return cls(app=app, drain=services.house.drain, services=services)


def _open(entries: Mapping[str, ModelEntry]) -> None:
    """Open what can be opened.

    Raises:
        ConfigError: nothing can; of the first.
    """
    troubles = list[ConfigError]()
    for entry in entries.values():
        try:
            entry.open()
        except ConfigError as error:
            troubles.append(error)
    if len(troubles) == len(entries):
        raise troubles[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Workshop:
    """What the models' entries are made from.

    Attributes:
        views: what is seen of each runtime, by the runtime's identity: models may share one.
    """

    config: GatewayConfig
    runtimes: Mapping[str, Runtime]
    views: Mapping[int, PartsView]
    metrics: Metrics
    http: httpx.AsyncClient
    keys: KeyRing
    token: str

    def entry(self, model: ModelConfig) -> ModelEntry:
        """A model that is not opened yet."""
        runtime = self.runtimes[model.name]
        parts = self.views[id(runtime)]
        self.metrics.promise(model.name, model.slo.slo)
        opening = ModelOpening(
            config=self.config,
            model=model,
            runtime=runtime,
            parts=parts,
            metrics=self.metrics,
            http=self.http,
            token=self.token,
        )
        return ModelEntry(
            model.name,
            main_part=model.main_part,
            opens=opening,
            parts=parts,
            keys=self._keys_of(model),
        )

    def _keys_of(self, model: ModelConfig) -> KeySource:
        if model.keys_directory is None:
            return lambda: self.keys
        return KeyDirectory(model.keys_directory).ring


class _Beside:
    """What runs beside the requests: the watch on the parts, opening, reading of histories."""

    def __init__(self, services: Services, workshop: _Workshop) -> None:
        self._services = services
        self._workshop = workshop

    @asynccontextmanager
    async def __call__(self) -> AsyncIterator[None]:
        views = self._workshop.views.values()
        entries = self._services.models.values()
        work = [*(view.run() for view in views), *(entry.run() for entry in entries)]
        tasks = [asyncio.create_task(job) for job in work]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._workshop.http.aclose()
            await close_runtimes(self._workshop.runtimes.values())
