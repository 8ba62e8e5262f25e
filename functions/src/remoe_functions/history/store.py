"""A revision's segments on disk, kept within a bound. Used from one thread, and may raise OSError.

The newest segment is appended to until it has its share of the bound; the oldest is dropped when
the next record would not fit. Segments of other revisions are deleted when the store opens.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from pathlib import Path

from remoe_functions.history.frames import HEADER_BYTES
from remoe_functions.history.segment import Segment, SegmentName, list_segments, revision_key

SEGMENTS = 8  # in a full store: dropping the oldest forgets an eighth


class SegmentStore:
    """Appends records of one revision to a directory, and keeps it under `max_bytes`."""

    def __init__(self, directory: Path, revision: str, max_bytes: int) -> None:
        self._directory = directory
        self._key = revision_key(revision)
        self._max_bytes = max_bytes
        self._current: Segment | None = None

    def append(self, payload: bytes) -> int:
        """Add a record, dropping the oldest ones where it would not fit; the segment's number.

        Raises:
            OSError: the disk refused; the store can be used again.
            ValueError: the record alone is larger than the bound.
        """
        needed = len(payload) + HEADER_BYTES
        if needed > self._max_bytes:
            raise ValueError(f"a record of {needed} bytes exceeds the bound of {self._max_bytes}")
        try:
            segment = self._segment_for(needed)
            segment.append(payload)
            return segment.name.number
        except OSError:
            self.close()
            raise

    def close(self) -> None:
        if self._current is not None:
            self._current.close()
            self._current = None

    def _segment_for(self, needed: int) -> Segment:
        current = self._current or self._open_newest()
        if current.size and current.size + needed > self._max_bytes // SEGMENTS:
            self.close()
            current = self._create(current.name.number + 1)
        self._current = current
        self._make_room(needed)
        return current

    def _open_newest(self) -> Segment:
        """The newest segment of this revision, repaired; a new one where another writer has it."""
        self._directory.mkdir(parents=True, exist_ok=True)
        names = list_segments(self._directory)
        for stale in names:
            if stale.key != self._key:
                _delete_if_free(stale.in_directory(self._directory))
        ours = [name for name in names if name.key == self._key]
        newest = ours[-1] if ours else SegmentName(self._key, 1)
        return Segment.open(self._directory, newest) or self._create(newest.number + 1)

    def _create(self, number: int) -> Segment:
        """The first free segment from this number on."""
        while True:
            segment = Segment.open(self._directory, SegmentName(self._key, number))
            if segment is not None:
                return segment
            number += 1

    def _make_room(self, needed: int) -> None:
        """Drop the oldest segments until the record fits, never the one being written."""
        paths = [n.in_directory(self._directory) for n in list_segments(self._directory)]
        sizes = {path: _size(path) for path in paths}
        total = sum(sizes.values())
        for path, size in sizes.items():
            if total + needed <= self._max_bytes:
                return
            if _delete_if_free(path):
                total -= size


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _delete_if_free(path: Path) -> bool:
    """Delete a segment unless a writer holds it; whether it is gone."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return True
    try:
        with suppress(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink(missing_ok=True)
            return True
        return False
    finally:
        os.close(descriptor)
