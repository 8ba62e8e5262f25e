"""What happened to a pod, in a sentence for people, from its status as the API server tells it."""

from __future__ import annotations

import signal
from collections.abc import Iterator

from remoe_functions.runtime.kubernetes.api import Object

_CHARACTERS = 300
_ORDINARY = frozenset({"ContainerCreating", "PodInitializing", ""})
_IMAGE = frozenset(
    {
        "ErrImagePull",
        "ImagePullBackOff",
        "InvalidImageName",
        "ErrImageNeverPull",
        "ImageInspectError",
    }
)


def one_line(text: str) -> str:
    """A text cut to size, on one line."""
    joined = " ".join(text.split())
    return joined if len(joined) <= _CHARACTERS else f"{joined[: _CHARACTERS - 1]}…"


def failure_of(pod: Object) -> str | None:
    """Why a pod failed or cannot start; None where nothing is known to be wrong."""
    status = pod.get("status") or {}
    if (unschedulable := _unschedulable(status)) is not None:
        return unschedulable
    for container in containers_of(status):
        if (failure := _container_failure(container)) is not None:
            return failure
    if status.get("phase") == "Failed":
        reason, message = status.get("reason", "it failed"), status.get("message", "")
        return one_line(f"{reason}: {message}" if message else str(reason))
    return None


def containers_of(status: Object) -> Iterator[Object]:
    """The status of every container, those that run first included."""
    for key in ("initContainerStatuses", "containerStatuses"):
        yield from status.get(key) or ()


def _unschedulable(status: Object) -> str | None:
    for condition in status.get("conditions") or ():
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            message = str(condition.get("message") or condition.get("reason") or "")
            return f"cannot be scheduled: {one_line(message)}"
    return None


def _container_failure(container: Object) -> str | None:
    state = container.get("state") or {}
    ended = (container.get("lastState") or {}).get("terminated") or {}
    waiting, terminated = state.get("waiting"), state.get("terminated")
    if terminated is not None:
        return _end(terminated)
    if waiting is not None and (reason := str(waiting.get("reason", ""))) not in _ORDINARY:
        return _end(ended) if ended else _obstacle(reason, container, waiting)
    # It runs, or is about to, in place of one that ended.
    return _end(ended) if ended and not container.get("ready") else None


def _obstacle(reason: str, container: Object, waiting: Object) -> str:
    message = one_line(str(waiting.get("message", "")))
    if reason in _IMAGE:
        return f"image {container.get('image')} cannot be had ({reason}): {message}"
    return f"{reason}: {message}" if message else reason


def _end(terminated: Object) -> str | None:
    """How a container ended; None where it ended well."""
    code = int(terminated.get("exitCode", 0))
    if terminated.get("reason") == "OOMKilled":
        return "ran out of memory (OOMKilled)"
    if code == 0:
        return None
    way = f"was killed by {_signal(code - 128)}" if code > 128 else f"exited with code {code}"
    said = [line for line in str(terminated.get("message", "")).splitlines() if line.strip()]
    return f"{way}: {one_line(said[-1])}" if said else way


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
