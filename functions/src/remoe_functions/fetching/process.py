"""The life of the process: fetch, tell how far it is, end with one message whatever happens."""

from __future__ import annotations

import os
import signal
import sys
import traceback
from queue import Empty, SimpleQueue
from threading import Thread
from types import FrameType

from remoe_functions.fetching.arguments import Arguments
from remoe_functions.fetching.bringing import bring
from remoe_functions.fetching.errors import FetchError, Reason
from remoe_functions.fetching.outcome import Fetched, leave, refusal
from remoe_functions.fetching.progress import ProgressMeter
from remoe_functions.fetching.progress_http import told

_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_LOOK_SECONDS = 0.2


class _StopSignal:
    """Whether the process was asked to end. Looked at, not waited for: any thread may get it."""

    def __init__(self) -> None:
        self.given = False
        for number in _SIGNALS:
            signal.signal(number, self._take)

    def _take(self, _number: int, _frame: FrameType | None) -> None:
        self.given = True


def run(arguments: Arguments) -> int:
    """Fetch, and return the exit status: 0 done, 1 try again, 2 somebody must act first.

    A wish to end (SIGTERM, SIGINT) is obeyed at once: what has come so far is continued next time.
    """
    ends: SimpleQueue[Fetched | FetchError] = SimpleQueue()
    meter = ProgressMeter()
    stop = _StopSignal()
    try:
        with told(meter, arguments.host, arguments.port) as port:
            _say(f"progress is told on port {port}")
            Thread(target=_work, args=(arguments, meter, ends), daemon=True).start()
            end = _end(ends, stop)
    except OSError as error:
        end = FetchError(Reason.FETCH_FAILED, f"cannot tell progress: {error}")
    return _conclude(end, arguments)


def _work(
    arguments: Arguments, meter: ProgressMeter, ends: SimpleQueue[Fetched | FetchError]
) -> None:
    try:
        ends.put(bring(arguments, meter))
    except FetchError as error:
        if error.reason is Reason.FETCH_FAILED:
            traceback.print_exception(error)
        ends.put(error)


def _end(ends: SimpleQueue[Fetched | FetchError], stop: _StopSignal) -> Fetched | FetchError:
    while not stop.given:
        try:
            return ends.get(timeout=_LOOK_SECONDS)
        except Empty:
            continue
    return FetchError(Reason.INTERRUPTED, "the fetch was told to end; it can be continued")


def _conclude(end: Fetched | FetchError, arguments: Arguments) -> int:
    message = refusal(end) if isinstance(end, FetchError) else end.message()
    _say(message)
    leave(message, arguments.termination_log)
    status = end.reason.exit_status if isinstance(end, FetchError) else 0
    if isinstance(end, FetchError) and end.reason is Reason.INTERRUPTED:
        os._exit(status)  # threads wait for the network and cannot be told to stop
    return status


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
