"""Keeping the history without ever being in the way of a request.

Records go through a bounded queue to a thread of their own. Whatever the disk does, `append`
neither waits nor raises: what cannot be kept is counted. Records are not synced one by one; a
crash of the process loses what is still queued, a crash of the machine perhaps the last seconds.
"""

from __future__ import annotations

import logging
import queue
import threading
from pathlib import Path

from remoe_functions.history.record import HistoryRecord
from remoe_functions.history.store import SegmentStore

DEFAULT_MAX_BYTES = 64 << 20
_QUEUED = 256
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
        while (record := self._queue.get()) is not None:
            self._keep(record)
        self._store.close()

    def _keep(self, record: HistoryRecord) -> None:
        try:
            self._store.append(record.encode())
        except (OSError, ValueError) as error:
            with self._lock:
                self._dropped += 1
                first = self._dropped == 1
            level = logging.WARNING if first else logging.DEBUG  # a full disk must not fill the log
            _log.log(level, "history: a record is dropped: %s", error)
