"""The main model's Prometheus metrics, read off the running parts when somebody asks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from remoe_functions.main.calls import Caller
from remoe_functions.main.engine import Engine
from remoe_functions.main.timing import StepTimer
from remoe_functions.main.totals import Totals


class MainCollector(Collector):
    """Engine figures under vLLM's names, the rest under ours."""

    def __init__(
        self,
        model: str,
        engine: Engine,
        caller: Caller,
        timer: StepTimer,
        totals: Totals,
        phases: Mapping[str, float],
    ) -> None:
        self._model = model
        self._engine = engine
        self._caller = caller
        self._timer = timer
        self._totals = totals
        self._phases = phases

    def collect(self) -> Iterable[Metric]:
        yield from self._engine_metrics()
        yield from self._total_metrics()
        yield from self._call_metrics()
        steps = CounterMetricFamily(
            "remoe_step_seconds", "Where the time of forward passes went", labels=["part"]
        )
        for part, seconds in self._timer.seconds.copy().items():
            steps.add_metric([part], seconds)
        yield steps
        phases = GaugeMetricFamily(
            "remoe_startup_seconds", "Start-up time by phase", labels=["phase"]
        )
        for phase, seconds in self._phases.items():
            phases.add_metric([phase], seconds)
        yield phases

    def _engine_metrics(self) -> Iterable[Metric]:
        gauges = {
            "vllm:num_requests_running": ("Requests that hold a slot", len(self._engine.running)),
            "vllm:num_requests_waiting": ("Requests without one", len(self._engine.waiting)),
            "vllm:kv_cache_usage_perc": ("Key-value cache in use, 0-1", self._engine.cache_usage),
        }
        for name, (text, value) in gauges.items():
            gauge = GaugeMetricFamily(name, text, labels=["model_name"])
            gauge.add_metric([self._model], value)
            yield gauge
        yield CounterMetricFamily("remoe_steps", "Engine steps", value=self._engine.steps)

    def _total_metrics(self) -> Iterable[Metric]:
        tokens = {
            "vllm:prompt_tokens": ("Prompt tokens of finished requests", self._totals.prompt),
            "vllm:generation_tokens": ("Tokens generated", self._totals.generated),
        }
        for name, (text, value) in tokens.items():
            counter = CounterMetricFamily(name, text, labels=["model_name"])
            counter.add_metric([self._model], value)
            yield counter
        requests = CounterMetricFamily(
            "vllm:request_success",
            "Finished requests",
            labels=["model_name", "finished_reason"],
        )
        for reason, count in self._totals.finished.copy().items():
            requests.add_metric([self._model, reason], count)
        yield requests
        pairs = CounterMetricFamily(
            "remoe_expert_pairs", "Token-expert pairs by where they were computed", labels=["place"]
        )
        for place, count in self._totals.places.copy().items():
            pairs.add_metric([place], count)
        yield pairs

    def _call_metrics(self) -> Iterable[Metric]:
        calls = CounterMetricFamily(
            "remoe_remote_calls", "Calls answered by functions", labels=["function"]
        )
        for function, count in self._caller.calls.copy().items():
            calls.add_metric([function], count)
        yield calls
        retries = CounterMetricFamily(
            "remoe_remote_retries", "Second attempts", labels=["function"]
        )
        for function, count in self._caller.retries.copy().items():
            retries.add_metric([function], count)
        yield retries
        fallbacks = CounterMetricFamily(
            "remoe_fallbacks",
            "Calls whose experts the main model computed itself",
            labels=["function", "reason"],
        )
        for (function, reason), count in self._caller.given_up.copy().items():
            fallbacks.add_metric([function, reason], count)
        yield fallbacks


def registry_of(collector: MainCollector) -> CollectorRegistry:
    """A registry with nothing but these metrics."""
    registry = CollectorRegistry()
    registry.register(collector)
    return registry
