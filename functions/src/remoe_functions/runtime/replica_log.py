"""The log of one replica: a file its process writes to by itself, kept bounded from outside.

The process holds the file open for appending and keeps writing after the supervisor's death, so
rotation copies the recent half aside and truncates in place. `logging.handlers` cannot do this:
the bytes never pass through the supervisor.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO

TAIL_LINES = 5
_TAIL_BYTES = 4096
_TAIL_COLUMNS = 200


class ReplicaLog:
    """`NAME-N.log` and, once it outgrew its bound, the half before the cut in `NAME-N.log.1`."""

    def __init__(self, path: Path, *, max_bytes: int) -> None:
        self.path = path
        self._max_bytes = max_bytes

    def open(self) -> BinaryIO:
        """The file to give to a process; a log of an earlier life under this name is dropped."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        flags = os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_WRONLY
        return os.fdopen(os.open(self.path, flags, 0o600), "ab")

    def rotate(self) -> bool:
        """Cut the log back if it outgrew its bound; returns whether it did.

        Raises:
            OSError: the disk would not take it.
        """
        if not self.path.exists() or self.path.stat().st_size <= self._max_bytes:
            return False
        recent = self._last_bytes(self._max_bytes // 2)
        self._cut.write_bytes(recent)
        os.truncate(self.path, 0)
        return True

    def remove(self) -> None:
        """Drop the log and what was cut from it; no matter if there is none."""
        self.path.unlink(missing_ok=True)
        self._cut.unlink(missing_ok=True)

    def tail(self, lines: int = TAIL_LINES) -> str:
        """The last lines that say anything, cut to size, as one line; empty where there is none."""
        try:
            text = self._last_bytes(_TAIL_BYTES).decode(errors="replace")
        except OSError:
            return ""
        # A traceback's carets point at nothing once lines are joined.
        spoken = [line.strip() for line in text.splitlines() if line.strip(" ^~\t")]
        return " | ".join(line[:_TAIL_COLUMNS] for line in spoken[-lines:])

    @property
    def _cut(self) -> Path:
        return self.path.with_suffix(".log.1")

    def _last_bytes(self, count: int) -> bytes:
        with self.path.open("rb") as file:
            file.seek(max(0, self.path.stat().st_size - count))
            return file.read(count)
