"""The history's secret, and what it makes of a prompt.

Vocabularies are small: a plain hash of a prompt could be found by trying. The secret is drawn once
per history and kept in a file for its owner alone; who deletes it makes every hash meaningless.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Sequence
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path

import numpy as np

_NAME = "salt"
_BYTES = 16


def read_or_make_salt(directory: Path) -> bytes:
    """The history's secret; drawn where there is none. Two who draw at once get the same.

    Raises:
        OSError: it can neither be read nor made.
    """
    path = directory / _NAME
    if (salt := _read(path)) is not None:
        return salt
    directory.mkdir(parents=True, exist_ok=True)
    draft = directory / f"{_NAME}.{secrets.token_hex(8)}"
    try:
        _write(draft, secrets.token_bytes(_BYTES))
        if path.exists() and _read(path) is None:  # torn by a crash before links were used
            path.unlink(missing_ok=True)
        with suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink(missing_ok=True)
    salt = _read(path)
    if salt is None:
        raise OSError(f"{path} is not a salt of {_BYTES} bytes")
    return salt


def fingerprint(salt: bytes, tokens: Sequence[int]) -> int:
    """The same number for the same prompt, and without the salt no way back to it."""
    data = np.asarray(tokens, "<i8").tobytes()
    return int.from_bytes(blake2b(data, digest_size=8, key=salt, person=b"prompt").digest())


def _read(path: Path) -> bytes | None:
    try:
        salt = path.read_bytes()
    except FileNotFoundError:
        return None
    return salt if len(salt) == _BYTES else None


def _write(path: Path, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
