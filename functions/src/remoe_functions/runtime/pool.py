"""All replicas of one part: carries out what `decision` decided, and counts.

One `reconcile` that may run at any time; everything that changes about the part leads to it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from pathlib import Path

from remoe_functions.runtime.decision import Decision, PartView, decide
from remoe_functions.runtime.errors import ScaleOutOfBounds
from remoe_functions.runtime.part import PartSpec
from remoe_functions.runtime.replica import Clock, ReplicaProcess
from remoe_functions.runtime.state import PartStatus, ReplicaState

LOGS_KEPT = 10


class Pool:
    """The replicas of one part, desired and real. Belongs to one event loop."""

    def __init__(
        self, spec: PartSpec, *, logs: Path, clock: Clock, changed: Callable[[], None]
    ) -> None:
        """Begin with the minimum wanted; the first `reconcile` starts it.

        Args:
            spec: the part.
            logs: the folder of its replicas' logs.
            clock: seconds, monotonic.
            changed: called after anything visible changed.
        """
        self.spec = spec
        self._logs = logs
        self._clock = clock
        self._changed = changed
        self._desired = spec.min_replicas
        self._wanted_at: float | None = None
        self._live: dict[str, ReplicaProcess] = {}
        self._lives: set[asyncio.Task[None]] = set()
        self._failed: list[ReplicaProcess] = []
        self._dead: deque[ReplicaProcess] = deque()
        self._started = self._wakes = self._restarts = self._failures = 0
        self._failed_at: float | None = None
        self._last_failure: str | None = None
        self._past_seconds = 0.0
        self._closing = False

    @property
    def empty(self) -> bool:
        """Whether no process is left."""
        return not self._live

    def status(self) -> PartStatus:
        """The part as the world sees it."""
        replicas = [*self._live.values(), *self._failed]
        return PartStatus(
            name=self.spec.name,
            kind=self.spec.kind,
            desired=self._desired,
            replicas=tuple(r.status() for r in sorted(replicas, key=lambda r: r.started_at)),
            wakes=self._wakes,
            restarts=self._restarts,
            awake_seconds=self._past_seconds + sum(r.awake_seconds for r in self._live.values()),
            last_failure=self._last_failure,
        )

    def view(self) -> PartView:
        """The part as the decision sees it."""
        return PartView(
            desired=self._desired,
            wanted_at=self._wanted_at,
            failures=self._failures,
            failed_at=self._failed_at,
            replicas=tuple(replica.view() for replica in self._live.values()),
        )

    def wake(self) -> None:
        """Want at least one replica, and keep those there are for another keep-alive."""
        self._want(max(1, self._desired))

    def scale(self, replicas: int) -> None:
        """Want so many replicas.

        Raises:
            ScaleOutOfBounds: the part may not have that many.
        """
        if not self.spec.allows(replicas):
            raise ScaleOutOfBounds(
                f"part {self.spec.name!r} may have {self.spec.min_replicas} to "
                f"{self.spec.max_replicas} replicas, got {replicas}"
            )
        self._want(replicas)

    def reconcile(self) -> None:
        """Bring what there is closer to what is wanted."""
        if not self._closing:
            self._carry_out(decide(self.spec, self.view(), self._clock()))

    def look(self) -> None:
        """Measure every replica."""
        for replica in self._live.values():
            replica.look()

    async def close(self) -> None:
        """Drain every replica, kill those that outlive the drain bound, and wait for the end."""
        self._closing = True
        self._desired = 0
        for replica in tuple(self._live.values()):
            replica.drain()
        if self._lives:
            await asyncio.wait(self._lives, timeout=self.spec.drain_seconds)
        await self.kill()

    async def kill(self) -> None:
        """End every replica at once, and wait until it is gone."""
        self._closing = True
        for replica in tuple(self._live.values()):
            replica.kill("the runtime stopped")
        if self._lives:
            await asyncio.gather(*self._lives)

    def _want(self, replicas: int) -> None:
        if self._closing:
            return
        if replicas > 0:
            self._wanted_at = self._clock()
            self._wakes += self._desired == 0
        self._set_desired(replicas)
        self.reconcile()

    def _set_desired(self, replicas: int) -> None:
        if replicas != self._desired:
            self._desired = replicas
            # Those that failed wait for a successor; nobody is coming any more.
            del self._failed[replicas:]
            self._changed()

    def _carry_out(self, decision: Decision) -> None:
        for victim, reason in decision.kill:
            self._live[victim].kill(reason)
        for leaver in decision.drain:
            self._live[leaver].drain()
        self._set_desired(decision.desired)
        for _ in range(decision.start):
            self._start()

    def _start(self) -> None:
        if self._failed:
            self._failed.pop(0)
            self._restarts += 1
        self._started += 1
        replica = ReplicaProcess(
            self.spec,
            self._started,
            logs=self._logs,
            clock=self._clock,
            changed=self._changed,
        )
        self._live[replica.id] = replica
        life = asyncio.create_task(self._live_through(replica), name=replica.id)
        self._lives.add(life)
        life.add_done_callback(self._lives.discard)
        self._changed()

    async def _live_through(self, replica: ReplicaProcess) -> None:
        try:
            await replica.live()
        finally:
            del self._live[replica.id]
            self._past_seconds += replica.awake_seconds
            self._bury(replica)
            self._mourn(replica)
            self._changed()
        self.reconcile()

    def _bury(self, replica: ReplicaProcess) -> None:
        """Keep the logs of the latest dead only: a part may fail for days."""
        self._dead.append(replica)
        if len(self._dead) > LOGS_KEPT:
            self._dead.popleft().forget()

    def _mourn(self, replica: ReplicaProcess) -> None:
        if replica.failure is None or self._closing:
            return
        self._last_failure = f"{replica.id} {replica.failure}"
        if replica.state is ReplicaState.FAILED:
            healthy = replica.was_ready_seconds > self.spec.healthy_seconds
            self._failures = 1 if healthy else self._failures + 1
            self._failed_at = self._clock()
            self._failed = [*self._failed, replica][-self.spec.max_replicas :]
