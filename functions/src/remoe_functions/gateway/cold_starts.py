"""How long parts took to start, phase by phase, as the runtime last saw them."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from remoe_functions.gateway.parts import PartsView


class ColdStarts(Collector):
    """The start-up phases of the newest replica of every part that is awake."""

    def __init__(self, parts: PartsView, registry: CollectorRegistry) -> None:
        self._parts = parts
        registry.register(self)

    def describe(self) -> Iterable[Metric]:
        return ()

    def collect(self) -> Iterable[Metric]:
        seconds = GaugeMetricFamily(
            "remoe:start_phase_seconds",
            "Seconds of each start-up phase of a part's newest ready replica.",
            labels=["part", "phase"],
        )
        for name, part in self._parts.parts.items():
            phases = part.ready[-1].phases if part.ready else {}
            for phase, took in phases.items():
                seconds.add_metric([name, phase], took)
        return (seconds,)
