"""What the operator tells Prometheus about itself."""

from __future__ import annotations

import math
from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 120.0)


class Metrics:
    """Counters and clocks, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.seconds = Histogram(
            "remoe_operator_reconcile_seconds",
            "Seconds that a pass took.",
            ["kind"],
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self.errors = Counter(
            "remoe_operator_reconcile_errors",
            "Passes that failed.",
            ["kind", "reason"],
            registry=self.registry,
        )
        self._services = Gauge(
            "remoe_operator_services", "Services looked after.", registry=self.registry
        )
        self._queue = Gauge(
            "remoe_operator_queue_length", "Passes that are due.", registry=self.registry
        )
        self._age = Gauge(
            "remoe_operator_last_success_age_seconds",
            "Seconds since a pass last succeeded; infinite where none did.",
            registry=self.registry,
        )

    def watch(
        self,
        *,
        services: Callable[[], int],
        queue: Callable[[], int],
        age_seconds: Callable[[], float | None],
    ) -> None:
        """Read these whenever somebody asks."""
        self._services.set_function(services)
        self._queue.set_function(queue)
        self._age.set_function(lambda: _or_infinite(age_seconds()))


def _or_infinite(seconds: float | None) -> float:
    return math.inf if seconds is None else seconds
