"""How far a fetch has come: counted on the disk, so that it is true after a restart as well."""

from __future__ import annotations

import os
import threading
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Bytes there, of how many, and of which commit; 0 and None where not known yet."""

    bytes_done: int = 0
    bytes_total: int = 0
    revision: str | None = None

    def as_dict(self) -> dict[str, object]:
        return asdict(self)


class ProgressMeter:
    """Told once what is to come; asked from other threads how much of it has."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._expected = Progress()
        self._folder: Path | None = None

    def expect(self, folder: Path, bytes_total: int, revision: str | None = None) -> None:
        """Count files below this folder from now on."""
        with self._lock:
            self._folder = folder
            self._expected = Progress(bytes_total=bytes_total, revision=revision)

    def finish(self, size_bytes: int, revision: str) -> None:
        """All of it is there."""
        with self._lock:
            self._folder = None
            self._expected = Progress(
                bytes_done=size_bytes, bytes_total=size_bytes, revision=revision
            )

    def read(self) -> Progress:
        """How far it is now."""
        with self._lock:
            folder, expected = self._folder, self._expected
        if folder is None:
            return expected
        done = min(folder_bytes(folder), expected.bytes_total)
        return Progress(
            bytes_done=done, bytes_total=expected.bytes_total, revision=expected.revision
        )


def folder_bytes(folder: Path) -> int:
    """Bytes of all files below a folder; files that go meanwhile count as nothing."""
    return sum(_size(Path(place) / name) for place, _, names in os.walk(folder) for name in names)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
