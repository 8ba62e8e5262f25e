"""Keeping the history without ever being in the way of a request.

Records go through a bounded queue to a thread of their own. Whatever the disk does, `append`
neither waits nor raises: what cannot be kept is counted. Records are not synced one by one; a
crash of the process loses what is still queued, a crash of the machine perhaps the last seconds.
A prompt that comes again is counted, not recorded anew (`known_prompts`).
"""

from __future__ import annotations

import logging
import queue
import threading
from pathlib import Path

from remoe_functions.history.known_prompts import KnownPrompts
from remoe_functions.history.reader import payloads
from remoe_functions.history.record import HistoryRecord, Repeats, fingerprint_of
from remoe_functions.history.store import SEGMENTS, SegmentStore

DEFAULT_MAX_BYTES = 64 << 20
_QUEUED = 256
_MOST_REPEATS = 256
_REPEATS_SECONDS = 30.0
_log = logging.getLogger(__name__)


class HistoryWriter:
    """Appends the requests of one model revision to a directory that belongs to that model."""

    def __init__(self, directory: Path, revision: str, max_bytes: int = DEFAULT_MAX_BYTES) -> None:
        """Start writing; the directory is made when the first record comes.

        Args:
            directory: where the history is kept. Other revisions' records in it are deleted.
            revision: the weights' revision (`Architecture.revision`).
            max_bytes: bound of everything on disk; the oldest records go first.

        Raises:
            ValueError: `max_bytes` is not positive.
        """
        if max_bytes < 1:
            raise ValueError(f"max_bytes must be >= 1, got {max_bytes}")
        self._store = SegmentStore(directory, revision, max_bytes)
        self._known = KnownPrompts(young_segments=SEGMENTS // 2)
        self._newest_segment = 0
        self._directory, self._revision = directory, revision
        self._queue: queue.Queue[HistoryRecord | None] = queue.Queue(_QUEUED)
        self._lock = threading.Lock()
        self._dropped = 0
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="history", daemon=True)
        self._thread.start()

    @property
    def dropped(self) -> int:
        """Records lost so far: the queue was full, the disk refused, or the writer was closed."""
        return self._dropped

    def append(self, record: HistoryRecord) -> None:
        """Hand over a record. Returns at once and never raises on disk trouble."""
        with self._lock:
            if self._closed:
                self._dropped += 1
                return
            try:
                self._queue.put_nowait(record)
            except queue.Full:
                self._dropped += 1

    def close(self, timeout_seconds: float = 5.0) -> None:
        """Write what is queued and stop; gives up waiting after the timeout. Idempotent."""
        with self._lock:
            already, self._closed = self._closed, True
        if not already:
            try:
                self._queue.put(None, timeout=timeout_seconds)
            except queue.Full:
                _log.warning("history: the disk is stuck; queued records are left behind")
                return
        self._thread.join(timeout_seconds)

    def _run(self) -> None:
        self._recall()
        while (record := self._next()) is not None:
            self._keep(record)
        self._keep_repeats()
        self._store.close()

    def _next(self) -> HistoryRecord | None:
        """The next record; repeats are written when nothing came for a while."""
        while self._known.repeats:
            try:
                return self._queue.get(timeout=_REPEATS_SECONDS)
            except queue.Empty:
                self._keep_repeats()
        return self._queue.get()

    def _recall(self) -> None:
        """Learn which prompts have a record already."""
        try:
            for number, payload in payloads(self._directory, self._revision):
                self._known.recorded(fingerprint_of(payload), number)
                self._newest_segment = number
        except OSError as error:
            _log.warning("history: what was recorded cannot be read: %s", error)

    def _keep(self, record: HistoryRecord) -> None:
        if not self._known.again(record.fingerprint, self._newest_segment):
            segment = self._written(record.encode())
            if segment is not None:
                self._known.recorded(record.fingerprint, segment)
        elif len(self._known.repeats) >= _MOST_REPEATS:
            self._keep_repeats()

    def _keep_repeats(self) -> None:
        if self._known.repeats:
            self._written(Repeats(times=self._known.take_repeats()).encode())

    def _written(self, payload: bytes) -> int | None:
        """The segment that took it; None where the disk refused."""
        try:
            self._newest_segment = self._store.append(payload)
            return self._newest_segment
        except (OSError, ValueError) as error:
            with self._lock:
                self._dropped += 1
                first = self._dropped == 1
            level = logging.WARNING if first else logging.DEBUG  # a full disk must not fill the log
            _log.log(level, "history: a record is dropped: %s", error)
            return None
