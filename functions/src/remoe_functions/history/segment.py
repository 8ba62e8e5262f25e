"""The files of a history: their names, and one of them open for appending.

A file belongs to one revision, which its name tells. Only files so named are ever touched, so
that a history may be pointed at a folder that holds other things.
"""

from __future__ import annotations

import fcntl
import os
import re
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from remoe_functions.history.frames import frame, read_frames

_NAME = re.compile(r"activations-(?P<key>[0-9a-f]{16})-(?P<number>[0-9]{8})\.segment")


@dataclass(frozen=True, slots=True, order=True)
class SegmentName:
    """A file's place among the others of its revision; lower numbers are older."""

    key: str
    number: int

    def in_directory(self, directory: Path) -> Path:
        return directory / f"activations-{self.key}-{self.number:08d}.segment"


def revision_key(revision: str) -> str:
    """What stands for a revision in file names, whatever characters it has."""
    return sha256(revision.encode()).hexdigest()[:16]


def list_segments(directory: Path) -> list[SegmentName]:
    """Every segment in the directory, of all revisions, ascending; none where it is missing.

    Raises:
        OSError: the directory cannot be read.
    """
    try:
        names = [entry.name for entry in os.scandir(directory)]
    except FileNotFoundError:
        return []
    matches = filter(None, map(_NAME.fullmatch, names))
    return sorted(SegmentName(match["key"], int(match["number"])) for match in matches)


class Segment:
    """A segment open for appending, locked against other writers. Confined to one thread."""

    def __init__(self, name: SegmentName, path: Path, descriptor: int, size: int) -> None:
        self.name = name
        self.path = path
        self.size = size
        self._descriptor = descriptor

    @classmethod
    def open(cls, directory: Path, name: SegmentName) -> Segment | None:
        """Open or create a segment and cut off what a crash left torn; None if another has it.

        Raises:
            OSError: the file cannot be opened, read or cut.
        """
        path = name.in_directory(directory)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            sound = _lock_and_repair(descriptor, path)
        except BlockingIOError:
            os.close(descriptor)
            return None
        except OSError:
            os.close(descriptor)
            raise
        return cls(name, path, descriptor, sound)

    def append(self, payload: bytes) -> None:
        """Add a record whole, or leave the segment as it was.

        Raises:
            OSError: it could not be written, for example because the disk is full.
        """
        data = frame(payload)
        try:
            _write_all(self._descriptor, data)
        except OSError:
            with suppress(OSError):  # the torn tail is cut when the segment is next opened
                os.ftruncate(self._descriptor, self.size)
            raise
        self.size += len(data)

    def close(self) -> None:
        """Give the lock back. Closing twice is allowed."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def _lock_and_repair(descriptor: int, path: Path) -> int:
    """Take the lock and cut the torn tail; the size that is left."""
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    if not os.fstat(descriptor).st_nlink:  # dropped by another writer since it was opened
        raise BlockingIOError
    sound = read_frames(path.read_bytes()).sound_bytes
    os.ftruncate(descriptor, sound)
    return sound


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
