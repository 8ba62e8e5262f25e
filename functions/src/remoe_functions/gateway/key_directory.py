"""A model's API keys as files of a folder, such as a mounted Secret: a file's name is the key's.

Read again when they change, so that keys are given and taken away without a restart. Whatever
cannot be read opens nothing.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from pathlib import Path

from remoe_functions.gateway.keys import KeyRing

_logger = logging.getLogger(__name__)
_LOOK_SECONDS = 1.0
_MAX_KEY_BYTES = 4096

_Signature = tuple[tuple[str, int, int, int], ...]


class KeyDirectory:
    """The keys of one model. Belongs to one event loop; looks at the folder once a second."""

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Read the keys in `path`; without any nobody enters."""
        self._path = path
        self._clock = clock
        self._signature: _Signature | None = None
        self._looked_at = float("-inf")
        self._ring = KeyRing({}, required=True)

    def ring(self) -> KeyRing:
        """The keys there are now; those of a second ago, at most."""
        now = self._clock()
        if now - self._looked_at >= _LOOK_SECONDS:
            self._looked_at = now
            self._look()
        return self._ring

    def _look(self) -> None:
        signature = self._sign()
        if signature == self._signature:
            return
        keys = dict[str, str]()
        self._signature = signature
        for name, *_ in signature:
            try:
                keys |= self._read(name)
            except OSError as error:
                _logger.warning("the API key %s cannot be read: %s", name, error.strerror)
                self._signature = None
        _logger.info("%s: keys: %s", self._path, ", ".join(keys) or "none, so open to nobody")
        self._ring = KeyRing(keys, required=True)

    def _sign(self) -> _Signature:
        """What changes when a key does. Hidden files are how Secrets are swapped, and no keys."""
        try:
            entries = [entry for entry in os.scandir(self._path) if not entry.name.startswith(".")]
        except OSError as error:
            if self._signature != ():
                _logger.warning("no API keys can be read: %s", error)
            return ()
        return tuple(sorted(look for entry in entries for look in _looks(entry)))

    def _read(self, name: str) -> dict[str, str]:
        """A file's key by its name, blanks around it left out; nothing where it has none."""
        with (self._path / name).open("rb") as file:
            content = file.read(_MAX_KEY_BYTES + 1)
        try:
            key = content.decode().strip() if len(content) <= _MAX_KEY_BYTES else ""
        except UnicodeDecodeError:
            key = ""
        if not key:
            _logger.warning("the API key %s must be text of 1 to %d bytes", name, _MAX_KEY_BYTES)
        return {name: key} if key else {}


def _looks(entry: os.DirEntry[str]) -> list[tuple[str, int, int, int]]:
    """An entry that is a file; nothing of one that just went away."""
    try:
        seen = entry.stat()
        is_file = entry.is_file()
    except FileNotFoundError:
        return []
    return [(entry.name, seen.st_ino, seen.st_size, seen.st_mtime_ns)] if is_file else []
