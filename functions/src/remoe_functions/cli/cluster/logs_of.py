"""Lines of the logs of a part's pods, as they are now or as they come."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import Thread
from typing import Any

from remoe_functions.cli.cluster.connection import Cluster
from remoe_functions.cli.cluster.tunnel import GATEWAYS
from remoe_functions.cli.cluster.view import ServiceView
from remoe_functions.cli.failure import CommandError

Show = Callable[[str], None]
_LOOK_SECONDS = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LogWish:
    """Which lines are wanted.

    Attributes:
        service: name of the MoEService.
        part: main, fetch, gateway, or a function's name.
        lines: the latest ones, of each pod.
        previous: of the container before the last restart.
    """

    service: str
    part: str
    lines: int
    previous: bool

    @property
    def selector(self) -> str:
        """Labels of the part's pods."""
        if self.part == "gateway":
            return GATEWAYS
        service = f"remoe.dev/service={self.service}"
        if self.part == "fetch":
            return f"{service},app.kubernetes.io/component=fetch"
        return f"{service},remoe.dev/part={self.part}"


def show_once(cluster: Cluster, wish: LogWish, show: Show) -> None:
    """The latest lines of each of the part's pods.

    Raises:
        CommandError: it has none; says whether it sleeps, or is not known.
    """
    pods = cluster.pods(wish.selector)
    if not pods:
        raise CommandError(_why_none(cluster, wish))
    for pod in pods:
        name = str(pod.metadata.name)
        prefix = f"{name}  " if len(pods) > 1 else ""
        if not _has_started(pod):
            show(f"{name} has not started: {_why_not(pod)}")
            continue
        for line in cluster.log(name, lines=wish.lines, follow=False, previous=wish.previous):
            show(prefix + line)


def follow(cluster: Cluster, wish: LogWish, show: Show) -> None:
    """Lines as they come, of pods that start later as well; until the user has seen enough."""
    seen: set[str] = set()
    while True:
        for pod in cluster.pods(wish.selector):
            name = str(pod.metadata.name)
            if name not in seen and _has_started(pod):
                seen.add(name)
                Thread(target=_follow_one, args=(cluster, wish, name, show), daemon=True).start()
        time.sleep(_LOOK_SECONDS)


def _follow_one(cluster: Cluster, wish: LogWish, name: str, show: Show) -> None:
    try:
        for line in cluster.log(name, lines=wish.lines, follow=True, previous=wish.previous):
            show(f"{name}  {line}")
    except CommandError as error:
        show(f"{name}  {error}")


def _has_started(pod: Any) -> bool:  # noqa: ANN401 - the client library's pod
    return any(
        state is not None and (state.running or state.terminated)
        for each in pod.status.container_statuses or ()
        for state in (each.state, each.last_state)
    )


def _why_not(pod: Any) -> str:  # noqa: ANN401 - the client library's pod
    """The reasons that Kubernetes gives of a pod whose container has not run."""
    waiting = [each.state.waiting for each in pod.status.container_statuses or ()]
    held = [each for each in pod.status.conditions or () if each.status == "False"]
    told = [f"{each.reason}: {each.message}" if each.message else each.reason for each in waiting]
    return "; ".join(told or [str(each.message) for each in held]) or str(pod.status.phase)


def _why_none(cluster: Cluster, wish: LogWish) -> str:
    service = ServiceView(cluster.service(wish.service))
    known = {part.name for part in service.parts} | {"main", "fetch", "gateway"}
    if wish.part not in known:
        return f"{wish.service} has no part {wish.part!r}; it has {', '.join(sorted(known))}"
    return f"{wish.part} of {wish.service} has no pods now: it sleeps, or has done its work"
