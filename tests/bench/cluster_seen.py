"""What happened on the cluster, and when: watched, as its own notes know whole seconds only."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from kubernetes import client, config, watch

WATCH_SECONDS = 3600


@dataclass(frozen=True, kw_only=True)
class Seen:
    """One object as it was told at one moment of `time.monotonic`."""

    at: float
    kind: str
    event: str
    object: dict[str, Any]

    @property
    def name(self) -> str:
        return self.object["metadata"]["name"]

    @property
    def labels(self) -> dict[str, str]:
        return self.object["metadata"].get("labels") or {}

    def has(self, condition: str) -> bool:
        """Whether a condition is true of it."""
        found = (self.object.get("status") or {}).get("conditions") or ()
        return any(c["type"] == condition and c["status"] == "True" for c in found)


class Watched:
    """Everything of the kinds below that was seen in a namespace, in order."""

    def __init__(self, namespace: str) -> None:
        config.load_kube_config()
        core, apps, batch = client.CoreV1Api(), client.AppsV1Api(), client.BatchV1Api()
        ours = ("remoe.dev", "v1alpha1", namespace, "moeservices")
        self._sources = {
            "pod": (core.list_namespaced_pod, (namespace,)),
            "deployment": (apps.list_namespaced_deployment, (namespace,)),
            "job": (batch.list_namespaced_job, (namespace,)),
            "moe": (client.CustomObjectsApi().list_namespaced_custom_object, ours),
        }
        self._seen: list[Seen] = []
        self._news = threading.Condition()
        self._watches: list[watch.Watch] = []

    def start(self, *kinds: str) -> None:
        """Watch these kinds, or all, until the process ends."""
        for kind in kinds or self._sources:
            threading.Thread(target=self._follow, args=(kind,), daemon=True).start()

    def _follow(self, kind: str) -> None:
        call, arguments = self._sources[kind]
        while True:
            # A kind that is not defined yet, or a server that is away, is asked again.
            with contextlib.suppress(Exception):
                stream = watch.Watch().stream(call, *arguments, timeout_seconds=WATCH_SECONDS)
                for event in stream:
                    self._take(kind, event["type"], event.get("raw_object") or event["object"])
            time.sleep(0.1)

    def _take(self, kind: str, event: str, item: dict[str, Any]) -> None:
        with self._news:
            seen = Seen(at=time.monotonic(), kind=kind, event=event, object=item)
            self._seen.append(seen)
            self._news.notify_all()

    def all(self, kind: str, since: float = 0.0) -> Iterator[Seen]:
        with self._news:
            found = [seen for seen in self._seen if seen.kind == kind and seen.at >= since]
        return iter(found)

    def first(
        self, kind: str, fits: Callable[[Seen], bool], *, since: float, seconds: float = 300.0
    ) -> Seen:
        """The first thing seen after a moment that fits; waits for it.

        Raises:
            TimeoutError: nothing was seen in time.
        """
        until = time.monotonic() + seconds
        while True:
            found = next((seen for seen in self.all(kind, since) if fits(seen)), None)
            if found is not None:
                return found
            left = until - time.monotonic()
            if left <= 0:
                raise TimeoutError(f"no {kind} as awaited within {seconds:.0f} s")
            with self._news:
                self._news.wait(min(left, 1.0))


def of(component: str) -> Callable[[Seen], bool]:
    """Objects of one component."""
    return lambda seen: seen.labels.get("app.kubernetes.io/component") == component


def that(*tests: Callable[[Seen], bool]) -> Callable[[Seen], bool]:
    """What all of these hold for."""
    return lambda seen: all(test(seen) for test in tests)


def added(seen: Seen) -> bool:
    return seen.event == "ADDED"


def placed(seen: Seen) -> bool:
    return bool(seen.object["spec"].get("nodeName"))


def running(seen: Seen) -> bool:
    containers = (seen.object.get("status") or {}).get("containerStatuses") or ()
    return any("running" in c["state"] or "terminated" in c["state"] for c in containers)


def ready(seen: Seen) -> bool:
    return seen.has("Ready")


def complete(seen: Seen) -> bool:
    return seen.has("Complete")
