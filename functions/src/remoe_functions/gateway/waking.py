"""Waking the main model, and holding requests until it takes work.

The one place where a request may wait for a process to start. Bounded in time and number; a
herd causes one wake.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from remoe_functions.gateway.errors import NotReady, Overloaded
from remoe_functions.gateway.metrics import ModelMetrics
from remoe_functions.gateway.parts import PartsView
from remoe_functions.gateway.replica_load import ReplicaLoad
from remoe_functions.runtime.errors import PartError, UnknownPart
from remoe_functions.runtime.runtime import Runtime
from remoe_functions.runtime.state import PartStatus, Snapshot

_logger = logging.getLogger(__name__)

# A wake may be lost, or main put to sleep again just then: look anew at least this often.
_LOOK_SECONDS = 0.5
# A wake that nothing came of is asked for again after so long, though nothing changed to be seen.
_AGAIN_SECONDS = 5.0
# A part that failed so often during one wait will not come up by waiting.
_RESTARTS_ALLOWED = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class MainAddress:
    """A main model that said it takes work."""

    replica_id: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DoorKnobs:
    """Attributes: requests held at most (>= 0), and the longest wait in seconds (> 0)."""

    max_held: int
    wait_seconds: float

    def __post_init__(self) -> None:
        if self.max_held < 0 or self.wait_seconds <= 0:
            raise ValueError(f"max_held must be >= 0 and wait_seconds > 0, got {self}")


class MainDoor:
    """The way to one main model, asleep or awake. Belongs to one event loop."""

    def __init__(
        self,
        part: str,
        *,
        runtime: Runtime,
        parts: PartsView,
        knobs: DoorKnobs,
        metrics: ModelMetrics,
    ) -> None:
        self.part = part
        self._runtime = runtime
        self._parts = parts
        self._knobs = knobs
        self._metrics = metrics
        self._held = 0
        self.load = ReplicaLoad()
        self._wake: asyncio.Task[None] | None = None
        self._woken_from: Snapshot | None = None
        self._woken_at = float("-inf")
        self._trouble: str | None = None

    @property
    def held(self) -> int:
        """Requests waiting now."""
        return self._held

    @property
    def is_ready(self) -> bool:
        return self._ready(()) is not None

    def has_another(self, avoid: Collection[str]) -> bool:
        """Whether there is a ready main besides these replicas."""
        return self._ready(avoid) is not None

    async def reach(self, *, avoid: Collection[str] = (), admitted: bool = False) -> MainAddress:
        """The address of the ready main with the least work; wakes one and waits where none is.

        Args:
            avoid: replicas that just failed; taken only if still called ready a while later.
            admitted: the request was let in before, so it is held however many others are.

        Raises:
            Overloaded: too many requests are held already.
            NotReady: main did not come up in time, or fails again and again.
        """
        if (ready := self._ready(avoid)) is not None:
            return ready
        if not admitted and self._held >= self._knobs.max_held:
            raise Overloaded(f"the model is starting and {self._held} requests wait for it already")
        with self._holding():
            try:
                async with asyncio.timeout(self._knobs.wait_seconds):
                    return await self._wait(avoid)
            except TimeoutError:
                raise self._not_ready(f"within {self._knobs.wait_seconds:g} s") from None

    def _ready(self, avoid: Collection[str]) -> MainAddress | None:
        ready = () if self._status is None else self._status.ready
        replica = self.load.choose(
            [r for r in ready if r.id not in avoid and r.host is not None and r.port is not None]
        )
        if replica is None:
            return None
        host = f"[{replica.host}]" if ":" in str(replica.host) else replica.host
        return MainAddress(replica_id=replica.id, url=f"http://{host}:{replica.port}")

    @property
    def _status(self) -> PartStatus | None:
        return self._parts.parts.get(self.part)

    async def _wait(self, avoid: Collection[str]) -> MainAddress:
        first, clock = self._status, asyncio.get_running_loop().time
        forgiven_at = clock() + _LOOK_SECONDS
        while True:
            await self._wake_if_asleep()
            await self._parts.wait_change(_LOOK_SECONDS)
            if (ready := self._ready(avoid if clock() < forgiven_at else ())) is not None:
                return ready
            self._give_up_if_hopeless(first)
            first = first or self._status

    def _give_up_if_hopeless(self, first: PartStatus | None) -> None:
        now = self._status
        if first and now and now.restarts - first.restarts > _RESTARTS_ALLOWED:
            raise self._not_ready("because it fails again and again")

    async def _wake_if_asleep(self) -> None:
        status = self._status
        if status is not None and status.desired > 0:
            return
        # Shielded: the wake belongs to the herd, not to the request that happened to be first.
        await asyncio.shield(self._begin_wake())

    def _begin_wake(self) -> asyncio.Task[None]:
        """The wake under way, or the last one where asking again is of no use yet."""
        now, snapshot = asyncio.get_running_loop().time(), self._parts.latest
        if self._wake is not None:
            news = self._woken_from is not snapshot or now - self._woken_at >= _AGAIN_SECONDS
            if not (self._wake.done() and news):
                return self._wake
        self._woken_from, self._woken_at = snapshot, now
        self._metrics.woken(self.part)
        self._wake = asyncio.create_task(self._wake_part(), name=f"wake {self.part}")
        return self._wake

    async def _wake_part(self) -> None:
        try:
            await self._runtime.wake(self.part)
            self._trouble = None
        except UnknownPart as error:
            raise NotReady(
                "the model is not deployed yet: its weights are being fetched, or its plan is "
                f"being made ({error})",
                code="model_not_deployed",
            ) from error
        except PartError as error:
            self._trouble = str(error)
            self._woken_at = float("-inf")
            _logger.warning("cannot wake %s: %s", self.part, error)
            await asyncio.sleep(_LOOK_SECONDS)

    def _not_ready(self, reason: str) -> NotReady:
        failure = (self._status.last_failure if self._status else None) or self._trouble
        detail = f" (last failure: {failure})" if failure else ""
        return NotReady(f"the model did not become ready {reason}{detail}")

    @contextmanager
    def _holding(self) -> Iterator[None]:
        self._held += 1
        self._metrics.held.set(self._held)
        try:
            yield
        finally:
            self._held -= 1
            self._metrics.held.set(self._held)
