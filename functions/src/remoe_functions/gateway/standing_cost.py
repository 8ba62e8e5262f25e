"""What the service costs whether or not anybody asks: memory awake, idle included, at scrape time.

A collector over the runtime's latest snapshot; what single requests cost is in `account`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from prometheus_client import Counter
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from remoe_functions.gateway.metrics import Metrics
from remoe_functions.gateway.parts import PartsView
from remoe_functions.runtime.state import PartStatus
from remoe_planner.memory import GIB
from remoe_planner.plan import Plan
from remoe_planner.prices import Prices

_HOUR_SECONDS = 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class BilledModel:
    """A model, the part its main runs as, and the plan that says what its parts are given."""

    name: str
    main_part: str
    plan: Plan

    @property
    def memory_gib(self) -> Mapping[str, float]:
        """GiB billed for one replica of each part."""
        functions = {f.name: f.memory_bytes / GIB for f in self.plan.functions}
        return {self.main_part: self.plan.main_memory_bytes / GIB} | functions


class StandingCost(Collector):
    """Functions awake, GiB-seconds of every part and the present cost per hour."""

    def __init__(
        self, models: Iterable[BilledModel], parts: PartsView, prices: Prices, metrics: Metrics
    ) -> None:
        self._models = tuple(models)
        self._parts = parts
        self._prices = prices
        self._metrics = metrics
        metrics.registry.register(self)

    def describe(self) -> Iterable[Metric]:
        return ()

    def collect(self) -> Iterable[Metric]:
        awake = GaugeMetricFamily(
            "remoe:functions_awake", "Functions with a ready replica.", labels=["model_name"]
        )
        seconds = CounterMetricFamily(
            "remoe:awake_gib_seconds",
            "Memory-seconds of every replica, idle included.",
            labels=["model_name", "component", "part"],
        )
        hourly = GaugeMetricFamily(
            "llm_total_hourly_cost", "Cost per hour of what is awake.", labels=["model_name"]
        )
        per_million = GaugeMetricFamily(
            "llm_cost_per_million_tokens",
            "Billed cost of requests per million generated tokens.",
            labels=["model_name"],
        )
        for model in self._models:
            there = self._there(model)
            awake.add_metric([model.name], self._functions_awake(model, there))
            hourly.add_metric([model.name], self._hourly(model, there))
            per_million.add_metric([model.name], self._per_million(model))
            for name, part in there.items():
                component = "main" if name == model.main_part else "functions"
                billed = part.awake_seconds * model.memory_gib[name]
                seconds.add_metric([model.name, component, name], billed)
        return awake, seconds, hourly, per_million

    def _there(self, model: BilledModel) -> dict[str, PartStatus]:
        return {n: p for n, p in self._parts.parts.items() if n in model.memory_gib}

    @staticmethod
    def _functions_awake(model: BilledModel, there: Mapping[str, PartStatus]) -> int:
        return sum(part.awake for name, part in there.items() if name != model.main_part)

    def _hourly(self, model: BilledModel, there: Mapping[str, PartStatus]) -> float:
        return _HOUR_SECONDS * sum(
            len(part.replicas) * self._replica_second(model, name) for name, part in there.items()
        )

    def _replica_second(self, model: BilledModel, part: str) -> float:
        """The price of one replica of a part for a second."""
        if part != model.main_part:
            return model.memory_gib[part] * self._prices.function_gib_second
        gpu = model.plan.main_gpu_bytes / GIB * self._prices.gpu_gib_second
        return model.memory_gib[part] * self._prices.main_gib_second + gpu

    def _per_million(self, model: BilledModel) -> float:
        tokens = _total(self._metrics.generation_tokens, model_name=model.name)
        cost = _total(self._metrics.cost, model_name=model.name, currency=self._prices.currency)
        return cost / tokens * 1e6 if tokens else 0.0


def _total(family: Counter, **labels: str) -> float:
    """The sum of a counter's children that have these labels."""
    return sum(
        sample.value
        for metric in family.collect()
        for sample in metric.samples
        if sample.name.endswith("_total") and labels.items() <= sample.labels.items()
    )
