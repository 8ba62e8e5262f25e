"""The child's end of the line to its supervisor: says how far it is, dies when the line is cut.

Expert functions import this at their cold start: the standard library's light half only.
JSON lines over an inherited socket; the supervisor's half of the talk is in `replica`.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from remoe_functions.runtime.birth import born_at

TETHER_FD = "REMOE_TETHER_FD"
SPAWNED_AT = "REMOE_SPAWNED_AT"
EXIT_WITHOUT_SUPERVISOR = 70
BEAT_SECONDS = 0.5

Activity = Callable[[], tuple[int, float]]


class Tether:
    """What a part tells its supervisor. Without a supervisor everything here is a no-op.

    Methods may be called from any thread and never raise on a lost line: the process is
    about to exit then.
    """

    def __init__(self, line: socket.socket | None, *, spawned_at: float | None = None) -> None:
        """Take over `line`; `spawned_at` is on the clock of `time.monotonic`, in seconds."""
        self._line = line
        self._sending = threading.Lock()
        self._marked_at = time.monotonic() if spawned_at is None else spawned_at
        self._phases: dict[str, float] = {}
        self._closed = threading.Event()
        if line is not None:
            self._spawn("tether-watch", self._exit_when_cut)

    @classmethod
    def from_environment(cls) -> Tether:
        """The tether this process was started with, or a no-op one where there is none.

        Takes the variables out of the environment, so that no grandchild holds the line.
        """
        descriptor = os.environ.pop(TETHER_FD, None)
        spawned_at = os.environ.pop(SPAWNED_AT, None)
        if descriptor is None:
            return cls(None, spawned_at=born_at())
        line = socket.socket(fileno=int(descriptor))
        line.set_inheritable(False)
        return cls(line, spawned_at=None if spawned_at is None else float(spawned_at))

    @property
    def attached(self) -> bool:
        """Whether there is a supervisor at the other end."""
        return self._line is not None

    @property
    def phases(self) -> Mapping[str, float]:
        """Seconds of every start-up phase marked so far; kept without a supervisor too."""
        return dict(self._phases)

    def phase(self, name: str) -> float:
        """Mark the end of a start-up phase; returns the seconds since the mark before it.

        The first phase is counted from the start of the process, as the supervisor told it or,
        without one, the kernel.
        """
        now = time.monotonic()
        seconds, self._marked_at = max(0.0, now - self._marked_at), now
        self._phases[name] = self._phases.get(name, 0.0) + seconds
        self._send({"kind": "phase", "name": name, "seconds": seconds})
        return seconds

    def ready(self, host: str, port: int) -> None:
        """Say that work is taken at this address from now on."""
        self._send({"kind": "ready", "host": host, "port": port})

    def activity(self, in_flight: int, idle_seconds: float) -> None:
        """Send one heartbeat: calls in flight, and seconds since the last one ended."""
        self._send({"kind": "activity", "in_flight": in_flight, "idle_seconds": idle_seconds})

    def beat(self, source: Activity, *, period_seconds: float = BEAT_SECONDS) -> None:
        """Send a heartbeat now and every `period_seconds`, asking `source` from a thread.

        Args:
            source: returns (calls in flight, seconds since the last one ended); thread-safe.
            period_seconds: > 0.
        """
        if period_seconds <= 0:
            raise ValueError(f"period_seconds must be > 0, got {period_seconds}")
        if self._line is not None:
            self._spawn("tether-beat", lambda: self._beat(source, period_seconds))

    def close(self) -> None:
        """Stop heartbeats before the process ends; cutting the line is left to the exit."""
        self._closed.set()

    def _beat(self, source: Activity, period_seconds: float) -> None:
        while not self._closed.is_set():
            self.activity(*source())
            self._closed.wait(period_seconds)

    def _send(self, message: dict[str, Any]) -> None:
        if self._line is None:
            return
        data = json.dumps(message).encode() + b"\n"
        try:
            with self._sending:
                self._line.sendall(data)
        except OSError:
            # The watching thread sees the same cut and ends the process.
            return

    def _exit_when_cut(self) -> None:
        line = self._line
        try:
            while line is not None and line.recv(64):
                pass
        except OSError:
            pass
        # Whoever read our standard error may be gone with the supervisor.
        with suppress(OSError, ValueError):
            sys.stderr.write("the supervisor is gone: exiting\n")
            sys.stderr.flush()
        # Not sys.exit: threads and handlers must not keep an orphan alive.
        os._exit(EXIT_WITHOUT_SUPERVISOR)

    @staticmethod
    def _spawn(name: str, target: Callable[[], None]) -> None:
        threading.Thread(target=target, name=name, daemon=True).start()
