"""The folder a running service lives in: its socket, configuration, plan and logs.

What is written into it is decided in `serve_parts` and `serve`.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from remoe_functions.runtime.control_server import MAX_PATH_BYTES


class FolderInUse(Exception):  # noqa: N818 (says what happened)
    """Another service lives in this folder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFolder:
    """A folder that belongs to one running service; use `open`, and `close` in the end.

    Attributes:
        path: the folder, readable by its owner alone.
        control: where the control socket goes.
        temporary: folders that go when the service ends well.
    """

    path: Path
    control: Path
    temporary: tuple[Path, ...]
    lock: int

    @classmethod
    def open(cls, path: Path | None) -> RunFolder:
        """Take a folder for this service, a temporary one where none is named.

        Raises:
            FolderInUse: another service lives there.
            OSError: it cannot be made or written to.
        """
        temporary = [] if path else [Path(tempfile.mkdtemp(prefix="remoe-"))]
        home = (path or temporary[0]).resolve()
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = _lock(home / "lock")
        control = home / "control.sock"
        if len(bytes(control)) > MAX_PATH_BYTES:
            # A Unix socket's path is short by nature; a deep folder keeps its socket elsewhere.
            temporary.append(Path(tempfile.mkdtemp(prefix="remoe-")))
            control = temporary[-1] / "control.sock"
        return cls(path=home, control=control, temporary=tuple(temporary), lock=lock)

    @property
    def plan(self) -> Path:
        return self.path / "plan.json"

    @property
    def gateway_config(self) -> Path:
        return self.path / "gateway.json"

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    def close(self, *, keep: bool) -> None:
        """Let go of the folder; a temporary one stays only where its logs are still wanted."""
        os.close(self.lock)
        for folder in self.temporary:
            if not (keep and folder == self.path):
                shutil.rmtree(folder, ignore_errors=True)


def _lock(path: Path) -> int:
    descriptor = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise FolderInUse(f"another service runs in {path.parent}") from error
    return descriptor
