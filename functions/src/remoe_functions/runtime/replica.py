"""The life of one replica: one child process, from its start to its last words.

When to start, drain or kill it is decided in `decision` and carried out by `pool`.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import time
from asyncio.subprocess import DEVNULL, STDOUT, Process
from collections.abc import Callable
from pathlib import Path
from subprocess import SubprocessError

from remoe_functions.runtime.decision import ReplicaView
from remoe_functions.runtime.failure import describe_exit
from remoe_functions.runtime.memory import limit_private_memory, resident_bytes
from remoe_functions.runtime.part import PartSpec
from remoe_functions.runtime.replica_log import ReplicaLog
from remoe_functions.runtime.state import Replica, ReplicaState
from remoe_functions.runtime.tether import SPAWNED_AT, TETHER_FD
from remoe_functions.runtime.vitals import Vitals

Clock = Callable[[], float]
_LINE_BYTES = 1 << 16


class ReplicaProcess:
    """One child process and what it tells over its tether.

    Attributes:
        id: `NAME-N`; also names its log.
        state: where it is in its life.
        failure: why it ended, once it ended without being asked to.
        ended_at: when its process was gone, or None.
    """

    def __init__(
        self, spec: PartSpec, number: int, *, logs: Path, clock: Clock, changed: Callable[[], None]
    ) -> None:
        self.id = f"{spec.name}-{number}"
        self.state = ReplicaState.STARTING
        self.failure: str | None = None
        self.started_at = clock()
        self.ended_at: float | None = None
        self._spec = spec
        self._clock = clock
        self._changed = changed
        self._log = ReplicaLog(logs / f"{self.id}.log", max_bytes=spec.log_bytes)
        self._process: Process | None = None
        self._vitals = Vitals()
        self._kill_at: float | None = None
        self._killed_because: str | None = None
        self._memory_bytes = 0

    @property
    def pid(self) -> int | None:
        return None if self._process is None else self._process.pid

    @property
    def awake_seconds(self) -> float:
        """Seconds the process lived so far."""
        return (self._clock() if self.ended_at is None else self.ended_at) - self.started_at

    @property
    def was_ready_seconds(self) -> float:
        """Seconds since it became ready; 0 where it never did."""
        ready_at = self._vitals.ready_at
        return 0.0 if ready_at is None else self._clock() - ready_at

    def status(self) -> Replica:
        """The replica as the world sees it."""
        return Replica(
            id=self.id,
            state=self.state,
            host=self._vitals.host,
            port=self._vitals.port,
            phases=dict(self._vitals.phases),
            memory_bytes=self._memory_bytes,
        )

    def view(self) -> ReplicaView:
        """The replica as the decision sees it."""
        return ReplicaView(
            id=self.id,
            state=self.state,
            started_at=self.started_at,
            ready_at=self._vitals.ready_at,
            idle_since=self._vitals.idle_since,
            heard_at=self._vitals.heard_at,
            in_flight=self._vitals.in_flight,
            kill_at=self._kill_at,
        )

    async def live(self) -> None:
        """Start the process, listen to it until it is gone, and say how it ended."""
        if self.state is ReplicaState.DRAINING or self._killed_because is not None:
            # Unwanted before it began; what it would inherit may be closed already.
            self._end(None, self._killed_because)
            return
        try:
            reader, writer = await self._spawn()
        except (OSError, ValueError, SubprocessError) as error:
            self._end(None, f"could not be started: {error}")
            return
        try:
            await self._listen(reader)
        finally:
            await self._bury(writer)

    def drain(self) -> None:
        """Ask the process to end; it has until the drain bound to finish its calls."""
        if self.state is ReplicaState.DRAINING or self.ended_at is not None:
            return
        self.state = ReplicaState.DRAINING
        self._kill_at = self._clock() + self._spec.drain_seconds
        self._signal(signal.SIGTERM)
        self._changed()

    def kill(self, reason: str) -> None:
        """End the process and everything it started, at once."""
        self._killed_because = self._killed_because or reason
        self._signal_group(signal.SIGKILL)

    def look(self) -> None:
        """Measure its memory and keep its log within bounds."""
        if self.pid is None or self.ended_at is not None:
            return
        self._memory_bytes = resident_bytes(self.pid)
        with contextlib.suppress(OSError):
            # A full disk must not stop the supervisor; the log is cut at a later look.
            self._log.rotate()

    def forget(self) -> None:
        """Drop its log; nobody looks that far back."""
        with contextlib.suppress(OSError):
            self._log.remove()

    async def _spawn(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                await self._start_process(theirs.fileno())
                return await asyncio.open_connection(sock=ours, limit=_LINE_BYTES)
            except BaseException:
                ours.close()
                raise

    async def _start_process(self, descriptor: int) -> None:
        tether = {TETHER_FD: str(descriptor), SPAWNED_AT: repr(time.monotonic())}
        with self._log.open() as log:
            self._process = await asyncio.create_subprocess_exec(
                *self._spec.argv,
                env={**self._spec.env, **tether},
                stdin=DEVNULL,
                stdout=log,
                stderr=STDOUT,
                pass_fds=(descriptor, *self._spec.inherited_fds),
                # A group of its own: Ctrl-C in the terminal reaches the supervisor alone.
                start_new_session=True,
            )
        if self._spec.private_memory_limit_bytes is not None:
            limit_private_memory(self._process.pid, self._spec.private_memory_limit_bytes)
        self._catch_up()

    def _catch_up(self) -> None:
        """Pass on what was asked for while the process was being made."""
        if self._killed_because is not None:
            self._signal_group(signal.SIGKILL)
        elif self.state is ReplicaState.DRAINING:
            self._signal(signal.SIGTERM)

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        """Follow the tether; it also ends, by itself, with the process that holds the far end."""
        listening = asyncio.create_task(self._read_lines(reader))
        try:
            if self._process is not None:
                await self._process.wait()
            # What it said just before its end is still in the socket.
            await asyncio.wait((listening,), timeout=1.0)
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)

    async def _read_lines(self, reader: asyncio.StreamReader) -> None:
        # ValueError: a line longer than any a tether sends.
        with contextlib.suppress(OSError, ValueError):
            while line := await reader.readline():
                self._hear(line)

    async def _bury(self, writer: asyncio.StreamWriter) -> None:
        # Whatever it started and left behind goes with it.
        self._signal_group(signal.SIGKILL)
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
        if self._process is not None:
            returncode = await self._process.wait()
            self._end(returncode, self._killed_because)

    def _hear(self, line: bytes) -> None:
        news = self._vitals.hear(line, self._clock())
        if self.state is ReplicaState.STARTING and self._vitals.ready_at is not None:
            self.state = ReplicaState.READY
        if news:
            self._changed()

    def _end(self, returncode: int | None, killed_because: str | None) -> None:
        asked_to = self.state is ReplicaState.DRAINING and killed_because is None
        self.ended_at = self._clock()
        self._memory_bytes = 0
        if not asked_to:
            self.failure = describe_exit(
                returncode,
                self._log.tail(),
                killed_because=killed_because,
                limit_bytes=self._spec.private_memory_limit_bytes,
            )
        if self.state is not ReplicaState.DRAINING:
            self.state = ReplicaState.FAILED
        self._changed()

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(number)

    def _signal_group(self, number: signal.Signals) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, number)
