"""What to do about a part, decided from what was observed of it: pure, with time as an argument.

Starting and stopping processes (the effects) happen in `pool`.
"""

from __future__ import annotations

from dataclasses import dataclass

from remoe_functions.runtime.part import PartSpec
from remoe_functions.runtime.state import ReplicaState

# A heartbeat older than this says nothing of the calls in flight now.
FRESH_SECONDS = 5.0
# Whoever woke a replica needs a moment to reach it, even where keep-alive is zero.
SETTLE_SECONDS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaView:
    """One live replica as the decision sees it; every time is on the same clock.

    Attributes:
        id: its identity.
        state: STARTING, READY or DRAINING; a failed replica is no longer live.
        started_at: when its process was started.
        ready_at: when it became ready, or None.
        idle_since: when its last call ended, or None where it never had one.
        heard_at: when it last sent a heartbeat, or None where it never did.
        in_flight: calls in flight at its last heartbeat.
        kill_at: when its drain bound ends; None unless it drains.
    """

    id: str
    state: ReplicaState
    started_at: float
    ready_at: float | None = None
    idle_since: float | None = None
    heard_at: float | None = None
    in_flight: int = 0
    kill_at: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PartView:
    """One part as the decision sees it.

    Attributes:
        desired: replicas wanted.
        wanted_at: when somebody last asked for the part, or None.
        failures: replicas that failed in a row.
        failed_at: when the last of them did, or None.
        replicas: the live ones, oldest first.
    """

    desired: int
    wanted_at: float | None = None
    failures: int = 0
    failed_at: float | None = None
    replicas: tuple[ReplicaView, ...] = ()

    @property
    def staying(self) -> tuple[ReplicaView, ...]:
        """The replicas that are not on their way out."""
        return tuple(r for r in self.replicas if r.state is not ReplicaState.DRAINING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What to do now.

    Attributes:
        desired: replicas wanted from now on.
        start: replicas to start.
        drain: ids of replicas to ask to end.
        kill: ids of replicas to end at once, with the reason in words.
    """

    desired: int
    start: int = 0
    drain: tuple[str, ...] = ()
    kill: tuple[tuple[str, str], ...] = ()


def decide(spec: PartSpec, part: PartView, now: float) -> Decision:
    """Compare what is wanted with what there is.

    Level-based: a second call on an unchanged part decides the same, and once a decision was
    carried out the next one is empty.
    """
    kill = overdue_replicas(spec, part, now)
    idle = idle_replicas(spec, part, now)
    desired = spec.min_replicas if is_hopeless(spec, part, now) else part.desired - len(idle)
    surplus = surplus_replicas(part, part.desired)
    may_start = now >= next_start_at(spec, part)
    missing = max(0, desired - len(part.staying)) if may_start else 0
    return Decision(desired=desired, start=missing, drain=idle or surplus, kill=kill)


def idle_replicas(spec: PartSpec, part: PartView, now: float) -> tuple[str, ...]:
    """Replicas that outlived their keep-alive, the youngest first; never below the minimum.

    A replica that sent no heartbeat of late cannot be told idle. Nothing is idle while a replica
    of the part is starting: somebody asked for more.
    """
    if spec.keep_alive_seconds is None or any(_starting(r) for r in part.staying):
        return ()
    idle = [r.id for r in reversed(part.staying) if _is_idle(spec, part, r, now)]
    spare = min(len(part.staying), part.desired) - spec.min_replicas
    return tuple(idle[: max(0, spare)])


def surplus_replicas(part: PartView, desired: int) -> tuple[str, ...]:
    """Replicas beyond what is wanted that can go now: ready, and with no call in flight."""
    surplus = max(0, len(part.staying) - desired)
    free = [r.id for r in reversed(part.staying) if not _starting(r) and r.in_flight == 0]
    return tuple(free[:surplus])


def overdue_replicas(spec: PartSpec, part: PartView, now: float) -> tuple[tuple[str, str], ...]:
    """Replicas past one of their bounds, with the bound in words."""
    verdicts = ((replica.id, _overdue(spec, replica, now)) for replica in part.replicas)
    return tuple((victim, reason) for victim, reason in verdicts if reason is not None)


def next_start_at(spec: PartSpec, part: PartView) -> float:
    """The moment from which a replica may be started: after the back-off, where one failed."""
    if part.failed_at is None:
        return float("-inf")
    return part.failed_at + spec.backoff.delay_seconds(part.failures)


def is_hopeless(spec: PartSpec, part: PartView, now: float) -> bool:
    """A part that fails again and again, and that nobody asked for during its keep-alive."""
    if spec.keep_alive_seconds is None or part.failures == 0 or part.staying:
        return False
    return part.wanted_at is None or now - part.wanted_at > max(
        spec.keep_alive_seconds, spec.startup_seconds
    )


def _starting(replica: ReplicaView) -> bool:
    return replica.state is ReplicaState.STARTING


def _is_idle(spec: PartSpec, part: PartView, replica: ReplicaView, now: float) -> bool:
    if replica.in_flight or replica.ready_at is None or spec.keep_alive_seconds is None:
        return False
    if replica.heard_at is None or now - replica.heard_at > FRESH_SECONDS:
        return False
    moments = (replica.ready_at, replica.idle_since, part.wanted_at)
    quiet_since = max(moment for moment in moments if moment is not None)
    return now - quiet_since > max(spec.keep_alive_seconds, SETTLE_SECONDS)


def _overdue(spec: PartSpec, replica: ReplicaView, now: float) -> str | None:
    if replica.kill_at is not None and now >= replica.kill_at:
        return f"did not end within {spec.drain_seconds:g} s of SIGTERM"
    if _starting(replica) and now - replica.started_at > spec.startup_seconds:
        return f"not ready within {spec.startup_seconds:g} s of its start"
    if replica.heard_at is not None and now - replica.heard_at > spec.silence_seconds:
        return f"no sign of life for {spec.silence_seconds:g} s"
    return None
