"""A part's status, put together from its Deployment, its pods and their addresses. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from remoe_functions.runtime.kubernetes.endpoints import Address
from remoe_functions.runtime.kubernetes.pod import Pod
from remoe_functions.runtime.kubernetes.tally import Tally
from remoe_functions.runtime.kubernetes.workload import Workload
from remoe_functions.runtime.state import PartStatus, Replica, ReplicaState

PhasesOf = Callable[[Pod], Mapping[str, float]]


def part_status(
    workload: Workload,
    pods: Iterable[Pod],
    addresses: Mapping[str, Address],
    phases: PhasesOf,
    tally: Tally,
) -> PartStatus:
    """One part as the world sees it.

    Args:
        workload: its Deployment.
        pods: its pods.
        addresses: where those of them that take work do so, by pod.
        phases: how long each phase of a pod's start took.
        tally: its counts.
    """
    known = {pod.name: pod for pod in pods}
    replicas = [
        _replica(pod, addresses.get(pod.name), phases(pod))
        for pod in sorted(known.values(), key=lambda pod: (pod.created_at, pod.name))
        if not pod.over
    ]
    # A slice may be heard of before the pod, or pods not be told to us at all.
    replicas += [_ready(address, {}, 0) for pod, address in addresses.items() if pod not in known]
    return PartStatus(
        name=workload.part,
        kind=workload.kind,
        desired=workload.desired,
        replicas=tuple(replicas),
        wakes=tally.wakes,
        restarts=tally.restarts,
        awake_seconds=tally.awake_seconds,
        last_failure=tally.last_failure,
    )


def _replica(pod: Pod, address: Address | None, phases: Mapping[str, float]) -> Replica:
    if pod.leaving:
        state = ReplicaState.DRAINING
    elif address is not None:
        return _ready(address, phases, pod.memory_bytes)
    else:
        state = ReplicaState.STARTING if pod.failure is None else ReplicaState.FAILED
    memory_bytes = pod.memory_bytes if pod.placed else 0
    return Replica(id=pod.name, state=state, phases=phases, memory_bytes=memory_bytes)


def _ready(address: Address, phases: Mapping[str, float], memory_bytes: int) -> Replica:
    return Replica(
        id=address.pod,
        state=ReplicaState.READY,
        host=address.host,
        port=address.port,
        phases=phases,
        memory_bytes=memory_bytes,
    )
