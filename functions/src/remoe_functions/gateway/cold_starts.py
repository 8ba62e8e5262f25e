"""How long parts took to start, phase by phase, as the runtimes told.

Each gateway counts the starts it saw: of several gateways one is to be looked at, not their sum.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping

from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from remoe_functions.gateway.model_entry import ModelEntry
from remoe_functions.runtime.state import PartKind, PartStatus, Replica, Snapshot

_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60, 120, 300, 600)
_TOTAL = "total"
# What a cluster knows by itself. A replica tells its own phases a moment after it is ready: a start
# is counted when it has, or when it will not any more.
_WITHOUT_ITS_OWN = frozenset({"schedule", "sandbox", "image", "process"})
_TELLS_SECONDS = 4.0


class ColdStarts(Collector):
    """Every start seen, and the phases of the newest replica of every part that is awake."""

    def __init__(self, entries: Mapping[str, ModelEntry], registry: CollectorRegistry) -> None:
        self._entries = entries
        self._seconds = Histogram(
            "remoe:cold_start_seconds",
            "Seconds of the starts this gateway saw, by phase, and in total.",
            ("model_name", "component", "phase"),
            buckets=_BUCKETS,
            registry=registry,
        )
        for entry in entries.values():
            entry.parts.listen(_Starts(entry, self._seconds).take)
        registry.register(self)

    def describe(self) -> Iterable[Metric]:
        return ()

    def collect(self) -> Iterable[Metric]:
        seconds = GaugeMetricFamily(
            "remoe:start_phase_seconds",
            "Seconds of each start-up phase of a part's newest ready replica.",
            labels=["model_name", "part", "phase"],
        )
        for entry in self._entries.values():
            for name, part in entry.own_parts.items():
                phases = part.ready[-1].phases if part.ready else {}
                for phase, took in phases.items():
                    seconds.add_metric([entry.name, name, phase], took)
        return (seconds,)


class _Starts:
    """One model's replicas as they become ready.

    Those of a part that was not known before may have been ready for long, and are not counted.
    """

    def __init__(
        self,
        entry: ModelEntry,
        seconds: Histogram,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._entry = entry
        self._seconds = seconds
        self._clock = clock
        self._ready: dict[str, frozenset[str]] = {}
        self._untold: dict[str, float] = {}

    def take(self, snapshot: Snapshot) -> None:
        """Count what became ready since the last snapshot."""
        for name, part in self._entry.own_of(snapshot).items():
            known = self._ready.get(name)
            for replica in part.ready:
                is_new = known is not None and replica.id not in known
                if (is_new or replica.id in self._untold) and self._is_told(replica):
                    self._count(part, replica)
        self._ready = {n: frozenset(r.id for r in p.ready) for n, p in snapshot.parts.items()}
        there = frozenset().union(*self._ready.values())
        self._untold = {name: at for name, at in self._untold.items() if name in there}

    def _is_told(self, replica: Replica) -> bool:
        """Whether its phases are all there will be; remembers when it was asked first."""
        now = self._clock()
        since = self._untold.setdefault(replica.id, now)
        own = replica.phases.keys() - _WITHOUT_ITS_OWN
        told = bool(own) or "schedule" not in replica.phases or now - since >= _TELLS_SECONDS
        if told:
            del self._untold[replica.id]
        return told

    def _count(self, part: PartStatus, replica: Replica) -> None:
        component = "main" if part.kind is PartKind.MAIN else "functions"
        for phase, took in {**replica.phases, _TOTAL: replica.startup_seconds}.items():
            self._seconds.labels(self._entry.name, component, phase).observe(took)
