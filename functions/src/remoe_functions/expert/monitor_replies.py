"""What the monitor answers, path by path. Imported when somebody first asks."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable

from remoe_functions.expert.monitor import Monitor, Watched

Reply = tuple[int, str, bytes]
_TEXT = "text/plain; charset=utf-8"
_JSON = "application/json"


class Replies:
    """The answers of one monitor; any thread may ask."""

    def __init__(self, monitor: Monitor) -> None:
        self._monitor = monitor
        self._metrics: Callable[[], bytes] | None = None
        self._making = threading.Lock()
        self._paths = {
            "/health": lambda: (200, _TEXT, b"alive\n"),
            "/ready": self._ready,
            "/activity": self._activity,
            "/metrics": self._scrape,
        }

    def to(self, path: str) -> Reply:
        """Status, content type and body for a path."""
        return self._paths.get(path, self._unknown)()

    def _ready(self) -> Reply:
        self._monitor.await_opening()
        watched = self._monitor.watched
        if watched is None:
            return 503, _TEXT, b"starting\n"
        return (200, _TEXT, b"ready\n") if watched.is_ready() else (503, _TEXT, b"draining\n")

    def _activity(self) -> Reply:
        watched = self._monitor.watched
        body = {
            "ready": watched is not None and watched.is_ready(),
            "in_flight": 0 if watched is None else watched.in_flight(),
            "waiting": 0,
            "idle_seconds": 0.0 if watched is None else watched.idle_seconds(),
            "phases": dict(self._monitor.phases()),
        }
        return 200, _JSON, json.dumps(body).encode()

    def _scrape(self) -> Reply:
        watched = self._monitor.watched
        if watched is None:
            return 503, _TEXT, b"starting\n"
        with self._making:
            self._metrics = self._metrics or _exposition(watched, self._monitor)
        return 200, "text/plain; version=0.0.4; charset=utf-8", self._metrics()

    def _unknown(self) -> Reply:
        return 404, _TEXT, f"served are {', '.join(self._paths)}\n".encode()


def _exposition(watched: Watched, monitor: Monitor) -> Callable[[], bytes]:
    # Probes come every second, scrapers now and then, and prometheus-client takes its time.
    from remoe_functions.expert.metrics import FunctionCollector, exposition

    return exposition(
        FunctionCollector(
            watched.function, watched.kernel, watched.meter, watched.in_flight, monitor.phases
        )
    )
