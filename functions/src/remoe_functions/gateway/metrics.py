"""What the gateway counts, under the names that vLLM's dashboards know, and Remoe's own.

Label values come from configuration (models, key names, parts), never from clients.
"""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from remoe_planner.demand.slo import Slo

# Finer below one second than the client library's own: targets for small models lie there.
TTFT_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2.5, 5, 10, 20, 40, 80, 160)
TOKEN_BUCKETS = (0.0025, 0.005, 0.01, 0.02, 0.03, 0.04, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1, 2.5)
REQUEST_BUCKETS = (0.1, 0.25, 0.5, 1, 2, 3, 5, 7.5, 10, 15, 20, 30, 45, 60, 120, 240, 480, 960)
SHARE_BUCKETS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0)
DIVERGENCE_BUCKETS = (0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.08, 0.1, 0.125, 0.15, 0.2, 0.3, 0.5, 1)
FORECAST_BUCKETS = (0.0005, 0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.02, 0.05, 0.1, 0.5)

# Buckets beside a promised latency, as shares of it: who keeps it closely can be told from who
# just misses it.
_BESIDE_PROMISE = (0.5, 0.75, 0.9, 1.0, 1.1, 1.25, 1.5, 2.0)

_MODEL = ("model_name",)


class Metrics:
    """Every family of the gateway, in a registry of its own."""

    def __init__(self, slos: Iterable[Slo] = ()) -> None:
        """Families whose buckets tell the promised latencies apart."""
        self.registry = CollectorRegistry()
        self._add_promises()
        self._add_forecasts()
        self._add_latencies(tuple(slos))
        self.e2e = self._histogram(
            "vllm:e2e_request_latency_seconds", "From arrival to the end.", REQUEST_BUCKETS
        )
        self.queue = self._histogram(
            "vllm:request_queue_time_seconds", "Held, and queued in the model.", REQUEST_BUCKETS
        )
        self.running = self._gauge("vllm:num_requests_running", "Requests handed to the model.")
        self.waiting = self._gauge("vllm:num_requests_waiting", "Requests held for the model.")
        self.prompt_tokens = self._counter("vllm:prompt_tokens", "Prompt tokens served.")
        self.generation_tokens = self._counter("vllm:generation_tokens", "Tokens generated.")
        self.success = self._counter(
            "vllm:request_success", "Choices that ended well.", "finished_reason"
        )
        self.requests = self._counter(
            "remoe:requests", "Requests by key name and outcome.", "key", "outcome"
        )
        self.wakes = self._counter("remoe:wakes", "Wakes the gateway asked for.", "part")
        self.wakes_judged = self._counter(
            "remoe:wakes_judged", "Functions woken for a request, by whether it used them.", "used"
        )
        self.functions_needed = self._counter(
            "remoe:functions_needed", "Functions a request used, by how it found them.", "found"
        )
        self.resumes = self._counter("remoe:resumes", "Answers carried over main's death.")
        self.held_seconds = self._histogram(
            "remoe:held_seconds", "Waiting for the model to wake and load.", REQUEST_BUCKETS
        )
        self.forecast_recall = self._histogram(
            "remoe:forecast_recall",
            "Share of the functions used that were forecast.",
            SHARE_BUCKETS,
        )
        self.forecast_precision = self._histogram(
            "remoe:forecast_precision",
            "Share of the functions forecast that were used.",
            SHARE_BUCKETS,
        )
        self.assignments = self._counter(
            "remoe:expert_assignments", "Token-expert pairs by where they ran.", "placement"
        )
        self.gib_seconds = self._counter(
            "remoe:request_gib_seconds", "Memory-seconds requests were billed for.", "component"
        )
        self.cost = self._counter(
            "remoe:request_cost", "What requests were billed.", "component", "currency"
        )

    def _add_promises(self) -> None:
        """What each model promised; nothing where it promised nothing."""
        self._slo_ttft = self._gauge("remoe:slo_ttft_seconds", "Promised time to first token.")
        self._slo_tpot = self._gauge("remoe:slo_tpot_seconds", "Promised time per output token.")
        self._slo_percentile = self._gauge(
            "remoe:slo_percentile", "Share of the requests that promises are made for, 0 to 1."
        )

    def _add_latencies(self, slos: tuple[Slo, ...]) -> None:
        token_buckets = beside(TOKEN_BUCKETS, (slo.tpot_seconds for slo in slos))
        self.ttft = self._histogram(
            "vllm:time_to_first_token_seconds",
            "From arrival to the first token.",
            beside(TTFT_BUCKETS, (slo.ttft_seconds for slo in slos)),
        )
        self.inter_token = self._histogram(
            "vllm:inter_token_latency_seconds", "Between two tokens.", token_buckets
        )
        self.per_token = self._histogram(
            "vllm:request_time_per_output_token_seconds",
            "A request's mean time per token after the first.",
            token_buckets,
        )

    def _add_forecasts(self) -> None:
        """How forecasts turned out, what they cost, and what a plan after them would save."""
        self.forecasts = self._counter(
            "remoe:forecasts", "Forecasts by what they rested on.", "basis"
        )
        self.forecast_divergence = Histogram(
            "remoe:forecast_divergence",
            "Jensen-Shannon divergence (bits) from forecast to what the prompt's tokens did.",
            (*_MODEL, "basis"),
            buckets=DIVERGENCE_BUCKETS,
            registry=self.registry,
        )
        self.forecast_expected = self._histogram(
            "remoe:forecast_expected_divergence",
            "The divergence that forecasts expected of themselves.",
            DIVERGENCE_BUCKETS,
        )
        self.forecast_mean_divergence = self._histogram(
            "remoe:forecast_mean_divergence",
            "The divergence that the mean of history would have had.",
            DIVERGENCE_BUCKETS,
        )
        self.answer_divergence = self._histogram(
            "remoe:forecast_answer_divergence",
            "Divergence from the forecast after prefill to what the answer's tokens did.",
            DIVERGENCE_BUCKETS,
        )
        self.forecast_seconds = self._histogram(
            "remoe:forecast_seconds", "Time to make a forecast.", FORECAST_BUCKETS
        )
        self.forecast_drift = self._gauge(
            "remoe:forecast_drift", "Divergence found over divergence expected, of late."
        )
        self.forecast_learned = self._gauge(
            "remoe:forecast_learned_prompts", "Distinct prompts that were learned from."
        )
        self.forecast_fit_due = self._gauge(
            "remoe:forecast_fit_due", "1 while enough was learned that a fit is worth its time."
        )
        self.forecast_bytes = self._gauge(
            "remoe:forecast_state_bytes", "Memory of what was learned."
        )
        self.forecast_fits = self._counter(
            "remoe:forecast_fits", "Fits of the forecaster by outcome.", "outcome"
        )
        self.forecast_fit_seconds = self._gauge(
            "remoe:forecast_fit_seconds", "How long the last fit took."
        )
        self.forecast_unlearned = self._counter(
            "remoe:forecast_unlearned", "Prompts that could not be learned from in time."
        )
        self.replan_saving = self._gauge(
            "remoe:replan_saving_per_hour",
            "What a new plan would save, where that pays for the change; else 0.",
        )

    def promise(self, model_name: str, slo: Slo) -> None:
        """Tell what a model promised."""
        if slo.ttft_seconds is not None:
            self._slo_ttft.labels(model_name).set(slo.ttft_seconds)
        if slo.tpot_seconds is not None:
            self._slo_tpot.labels(model_name).set(slo.tpot_seconds)
        if (slo.ttft_seconds or slo.tpot_seconds) is not None:
            self._slo_percentile.labels(model_name).set(slo.percentile)

    def of(self, model_name: str) -> ModelMetrics:
        """The same families for one model."""
        return ModelMetrics(self, model_name)

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(name, text, (*_MODEL, *labels), registry=self.registry)

    def _gauge(self, name: str, text: str) -> Gauge:
        return Gauge(name, text, _MODEL, registry=self.registry)

    def _histogram(self, name: str, text: str, buckets: tuple[float, ...]) -> Histogram:
        return Histogram(name, text, _MODEL, buckets=buckets, registry=self.registry)


def beside(buckets: tuple[float, ...], promised: Iterable[float | None]) -> tuple[float, ...]:
    """Buckets with more of them beside each promised number of seconds."""
    more = {round(p * share, 9) for p in promised if p is not None for share in _BESIDE_PROMISE}
    return tuple(sorted({*buckets, *more}))


class ModelMetrics:
    """One model's metrics: the label is filled in, and simple families are children already."""

    def __init__(self, families: Metrics, model_name: str) -> None:
        self._families = families
        self._name = model_name
        self.ttft = families.ttft.labels(model_name)
        self.inter_token = families.inter_token.labels(model_name)
        self.per_token = families.per_token.labels(model_name)
        self.e2e = families.e2e.labels(model_name)
        self.queue = families.queue.labels(model_name)
        self.running = families.running.labels(model_name)
        self.held = families.waiting.labels(model_name)
        self.prompt_tokens = families.prompt_tokens.labels(model_name)
        self.generation_tokens = families.generation_tokens.labels(model_name)
        self.resumes = families.resumes.labels(model_name)
        self.held_seconds = families.held_seconds.labels(model_name)
        self.forecast_recall = families.forecast_recall.labels(model_name)
        self.forecast_precision = families.forecast_precision.labels(model_name)
        self.forecast_expected = families.forecast_expected.labels(model_name)
        self.forecast_mean_divergence = families.forecast_mean_divergence.labels(model_name)
        self.answer_divergence = families.answer_divergence.labels(model_name)
        self.forecast_seconds = families.forecast_seconds.labels(model_name)
        self.forecast_drift = families.forecast_drift.labels(model_name)
        self.forecast_learned = families.forecast_learned.labels(model_name)
        self.forecast_fit_due = families.forecast_fit_due.labels(model_name)
        self.forecast_bytes = families.forecast_bytes.labels(model_name)
        self.forecast_fit_seconds = families.forecast_fit_seconds.labels(model_name)
        self.forecast_unlearned = families.forecast_unlearned.labels(model_name)
        self.replan_saving = families.replan_saving.labels(model_name)

    def foretold(self, basis: str) -> None:
        self._families.forecasts.labels(self._name, basis).inc()

    def diverged(self, basis: str, divergence: float) -> None:
        self._families.forecast_divergence.labels(self._name, basis).observe(divergence)

    def fitted(self, outcome: str) -> None:
        self._families.forecast_fits.labels(self._name, outcome).inc()

    def finished(self, reason: str) -> None:
        self._families.success.labels(self._name, reason).inc()

    def ended(self, key: str, outcome: str) -> None:
        self._families.requests.labels(self._name, key, outcome).inc()

    def woken(self, part: str) -> None:
        self._families.wakes.labels(self._name, part).inc()

    def wake_judged(self, *, used: bool) -> None:
        self._families.wakes_judged.labels(self._name, "yes" if used else "no").inc()

    def function_needed(self, found: str) -> None:
        """Found is awake, woken (for this request) or asleep."""
        self._families.functions_needed.labels(self._name, found).inc()

    def placed(self, placement: str, assignments: int) -> None:
        self._families.assignments.labels(self._name, placement).inc(assignments)

    def billed(self, component: str, *, gib_seconds: float, cost: float, currency: str) -> None:
        self._families.gib_seconds.labels(self._name, component).inc(gib_seconds)
        self._families.cost.labels(self._name, component, currency).inc(cost)
