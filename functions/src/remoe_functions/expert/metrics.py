"""The meter's numbers as Prometheus text. Imported after readiness, so the start pays nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from prometheus_client import CollectorRegistry, Metric, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from remoe_functions.expert.meter import Meter, Reading

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class FunctionCollector(Collector):
    """Turns a reading of the meter into metric families, once per scrape."""

    def __init__(
        self,
        function: str,
        kernel: str,
        meter: Meter,
        in_flight: Callable[[], int],
        phases: Callable[[], Mapping[str, float]],
    ) -> None:
        self._function = function
        self._kernel = kernel
        self._meter = meter
        self._in_flight = in_flight
        self._phases = phases

    def collect(self) -> Iterator[Metric]:
        """Every family, from one reading."""
        reading = self._meter.read()
        yield from self._totals(reading)
        yield self._by("billed_gib_seconds", "Memory times time.", "state", _billed(reading))
        yield self._by("refusals", "Calls refused.", "code", reading.refusals)
        gauge = GaugeMetricFamily(
            "remoe_function_in_flight", "Calls in flight.", labels=["function"]
        )
        gauge.add_metric([self._function], self._in_flight())
        yield gauge
        yield self._startup()
        yield self._info()

    def _totals(self, reading: Reading) -> Iterator[Metric]:
        totals = {
            "calls": (reading.calls, "Calls answered."),
            "rows": (reading.rows, "Token rows in them."),
            "pairs": (reading.pairs, "Pairs of row and expert in them."),
            "busy_seconds": (reading.busy_seconds, "Time spent on calls."),
        }
        for name, (value, text) in totals.items():
            family = CounterMetricFamily(f"remoe_function_{name}", text, labels=["function"])
            family.add_metric([self._function], value)
            yield family

    def _by(self, name: str, text: str, label: str, values: Mapping[str, float]) -> Metric:
        family = CounterMetricFamily(f"remoe_function_{name}", text, labels=["function", label])
        for key, value in values.items():
            family.add_metric([self._function, key], value)
        return family

    def _info(self) -> Metric:
        family = GaugeMetricFamily(
            "remoe_function_info", "What computes the experts.", labels=["function", "kernel"]
        )
        family.add_metric([self._function, self._kernel], 1)
        return family

    def _startup(self) -> Metric:
        family = GaugeMetricFamily(
            "remoe_function_startup_seconds", "Start-up by phase.", labels=["function", "phase"]
        )
        for phase, seconds in self._phases().items():
            family.add_metric([self._function, phase], seconds)
        return family


def _billed(reading: Reading) -> dict[str, float]:
    return {"busy": reading.busy_gib_seconds, "idle": reading.idle_gib_seconds}


def exposition(collector: Collector) -> Callable[[], bytes]:
    """What gives the text of a scrape: the collector's metrics and the process's own."""
    registry = CollectorRegistry()
    registry.register(collector)
    ProcessCollector(registry=registry)
    return lambda: generate_latest(registry)
