"""What a model costs whether or not anybody asks: memory awake, idle included, at scrape time.

A collector over the runtimes' latest snapshots; what single requests cost is in `account`. Several
gateways tell the same cost per hour, so of these one is to be looked at, not their sum.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from prometheus_client import Counter
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from remoe_functions.gateway.metrics import Metrics
from remoe_functions.gateway.model_entry import ModelEntry
from remoe_functions.runtime.state import PartStatus
from remoe_planner.memory import GIB
from remoe_planner.plan import Plan
from remoe_planner.prices import Prices

_HOUR_SECONDS = 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class BilledModel:
    """A model that is served, and the parts of it that there are.

    Attributes:
        main_part: the part its main runs as.
        plan: what its parts are given.
        parts: as last seen.
    """

    main_part: str
    plan: Plan
    prices: Prices
    parts: Mapping[str, PartStatus]

    @property
    def functions_awake(self) -> int:
        return sum(part.awake for name, part in self.parts.items() if name != self.main_part)

    @property
    def hourly_cost(self) -> float:
        """Of every replica there is, ready or not."""
        return _HOUR_SECONDS * sum(
            len(part.replicas) * self._replica_second(name) for name, part in self.parts.items()
        )

    @property
    def awake_gib_seconds(self) -> dict[str, float]:
        """Memory-seconds by part."""
        return {n: p.awake_seconds * self._memory_gib[n] for n, p in self.parts.items()}

    @property
    def _memory_gib(self) -> Mapping[str, float]:
        """GiB billed for one replica of each part."""
        functions = {f.name: f.memory_bytes / GIB for f in self.plan.functions}
        return {self.main_part: self.plan.main_memory_bytes / GIB} | functions

    def _replica_second(self, part: str) -> float:
        """The price of one replica of a part for a second."""
        if part != self.main_part:
            return self._memory_gib[part] * self.prices.function_gib_second
        gpu = self.plan.main_gpu_bytes / GIB * self.prices.gpu_gib_second
        return self._memory_gib[part] * self.prices.main_gib_second + gpu


class StandingCost(Collector):
    """What is there of each model: functions awake, GiB-seconds and the present cost per hour."""

    def __init__(self, entries: Mapping[str, ModelEntry], metrics: Metrics) -> None:
        self._entries = entries
        self._metrics = metrics
        metrics.registry.register(self)

    def describe(self) -> Iterable[Metric]:
        return ()

    def collect(self) -> Iterable[Metric]:
        available = _gauge("remoe:model_available", "1 where the model's files could be read.")
        planned = _gauge("remoe:functions_planned", "Functions of the plan in force.")
        awake = _gauge("remoe:functions_awake", "Functions with a ready replica.")
        hourly = _gauge("llm_total_hourly_cost", "Cost per hour of what is awake.")
        per_million = _gauge(
            "llm_cost_per_million_tokens", "Billed cost of requests per million generated tokens."
        )
        seconds = CounterMetricFamily(
            "remoe:awake_gib_seconds",
            "Memory-seconds of every replica, idle included.",
            labels=["model_name", "component", "part"],
        )
        for name, entry in self._entries.items():
            model = _billed(entry)
            available.add_metric([name], float(model is not None))
            if model is None:
                continue
            planned.add_metric([name], len(model.plan.functions))
            awake.add_metric([name], model.functions_awake)
            hourly.add_metric([name], model.hourly_cost)
            per_million.add_metric([name], self._per_million(name, model.prices))
            for part, billed in model.awake_gib_seconds.items():
                component = "main" if part == model.main_part else "functions"
                seconds.add_metric([name, component, part], billed)
        return available, planned, awake, seconds, hourly, per_million

    def _per_million(self, name: str, prices: Prices) -> float:
        tokens = _total(self._metrics.generation_tokens, model_name=name)
        cost = _total(self._metrics.cost, model_name=name, currency=prices.currency)
        return cost / tokens * 1e6 if tokens else 0.0


def _billed(entry: ModelEntry) -> BilledModel | None:
    served = entry.served
    if served is None:
        return None
    return BilledModel(
        main_part=entry.main_part,
        plan=served.model.plan,
        prices=served.prices,
        parts=entry.own_parts,
    )


def _gauge(name: str, text: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, text, labels=["model_name"])


def _total(family: Counter, **labels: str) -> float:
    """The sum of a counter's children that have these labels."""
    return sum(
        sample.value
        for metric in family.collect()
        for sample in metric.samples
        if sample.name.endswith("_total") and labels.items() <= sample.labels.items()
    )
