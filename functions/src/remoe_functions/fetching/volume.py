"""The volume that keeps the model: `model` is whole or not there, a half one lies in `.fetching`.

A model in use is never written to. Another one takes its place by a rename; processes that have
mapped the old one keep it until they end.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from remoe_functions.fetching.errors import FetchError, Reason
from remoe_functions.fetching.marker import Marker
from remoe_functions.fetching.wish import Wish

_GROUP_ONLY = 0o770
_LOCK_SECONDS = 60.0


class Volume:
    """Where the parts of a service find model and history.

    Attributes:
        model: folder of the model.
        history: folder of the history.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self.model = root / "model"
        self.history = root / "history"
        self._room = root / ".fetching"

    @contextmanager
    def reserved(self) -> Iterator[None]:
        """No other fetch works on the volume meanwhile.

        Raises:
            FetchError: another one does, and does not end.
        """
        with (self._root / ".fetch.lock").open("w") as lock:
            deadline = time.monotonic() + _LOCK_SECONDS
            while not _locks(lock.fileno()):
                if time.monotonic() > deadline:
                    raise FetchError(Reason.VOLUME_BUSY, "another fetch works on the volume")
                time.sleep(0.5)
            yield

    def make_history(self) -> None:
        """The folder for history, if there is none."""
        _make(self.history)

    def held(self, wish: Wish) -> Marker | None:
        """What `model` is, if it is the model wanted and nothing of it is missing."""
        marker = Marker.read(self.model)
        if marker is None or not marker.answers(wish) or not marker.is_true_of(self.model):
            return None
        return marker

    def room(self, wish: Wish, revision: str) -> Path:
        """The folder to fetch into; keeps what an earlier attempt brought of the same model."""
        label, expected = self._room / "of.json", asdict(wish) | {"commit": revision}
        if _read(label) != expected:
            shutil.rmtree(self._room, ignore_errors=True)
            _make(self._room)
            label.write_text(json.dumps(expected), "utf-8")
        folder = self._room / "model"
        _make(folder)
        return folder

    def free_bytes(self) -> int:
        """Room that is left."""
        return shutil.disk_usage(self._root).free

    def install(self, folder: Path, marker: Marker) -> None:
        """Let a fetched model be the volume's: on the disk first, then by its name."""
        for path in folder.iterdir():
            _sync(path)
        marker.write(folder)
        _sync(folder)
        replaced = self._room / "replaced"
        if self.model.exists():
            self.model.rename(replaced)
        folder.rename(self.model)
        _sync(self._root)
        shutil.rmtree(self._room, ignore_errors=True)


def _locks(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _make(folder: Path) -> None:
    """Open to the group alone; a new folder's mode is cut by the process's mask, so it is set."""
    if not folder.is_dir():
        folder.mkdir(parents=True)
        folder.chmod(_GROUP_ONLY)


def _read(path: Path) -> object:
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
