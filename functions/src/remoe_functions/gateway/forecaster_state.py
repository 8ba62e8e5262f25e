"""What was learned, on disk: one file per model revision beside its history, replaced whole.

A digest and then an npz: arrays alone, never pickled, and none is read before all bytes are known
to be as they were written. A state of another version, revision, shape, vocabulary or salt is not
taken; it costs nothing but learning anew.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from hashlib import blake2b, sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from remoe_functions.gateway.fit_process import packed, unpacked
from remoe_functions.history.segment import revision_key
from remoe_planner.architecture import Architecture

_VERSION = 1
_HEAD = "head"
_ENDING = ".forecaster"
_DIGEST_BYTES = 32


class StateError(Exception):
    """A file that is no state of this model; the message says what is wrong with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StateKind:
    """What a state must be of to be taken."""

    revision: str
    layers: int
    experts: int
    top_k: int
    words: str
    salt: str
    version: int = _VERSION

    @classmethod
    def of(cls, architecture: Architecture, words: NDArray[np.int64], salt: bytes) -> StateKind:
        layers, experts = architecture.shape
        return cls(
            revision=architecture.revision,
            layers=layers,
            experts=experts,
            top_k=architecture.top_k,
            words=sha256(np.ascontiguousarray(words, "<i8").tobytes()).hexdigest(),
            salt=sha256(b"state" + salt).hexdigest(),
        )


def state_path(directory: Path, revision: str) -> Path:
    """Where the state of a revision stands."""
    return directory / f"{revision_key(revision)}{_ENDING}"


def save_state(directory: Path, kind: StateKind, arrays: Mapping[str, NDArray[Any]]) -> int:
    """Write the state whole or not at all, drop those of other revisions; the bytes written.

    Raises:
        OSError: the disk refused; what was there is still there.
    """
    directory.mkdir(parents=True, exist_ok=True)
    path = state_path(directory, kind.revision)
    draft = path.with_name(f"{path.name}.{os.getpid()}.draft")
    head = np.frombuffer(json.dumps(asdict(kind)).encode(), np.uint8)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        data = packed({_HEAD: head, **arrays})
        with os.fdopen(descriptor, "wb") as file:
            file.write(_digest(data))
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        size = draft.stat().st_size
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    _drop_others(directory, path)
    return size


def load_state(path: Path, kind: StateKind) -> dict[str, NDArray[Any]] | None:
    """The saved arrays; None where nothing was saved.

    Raises:
        StateError: the file is damaged, or of another kind; says what differs.
        OSError: it cannot be read.
    """
    arrays = read_state(path)
    if arrays is None:
        return None
    wanted, head = asdict(kind), _head(arrays.pop(_HEAD, None))
    differing = [name for name in wanted if head.get(name) != wanted[name]]
    if differing:
        raise StateError(f"{path} is of another {', '.join(differing)}")
    return arrays


def read_state(path: Path) -> dict[str, NDArray[Any]] | None:
    """The arrays of a state of whatever kind, its head among them; None where there is none.

    Raises:
        StateError: the file is damaged.
        OSError: it cannot be read.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    digest, body = data[:_DIGEST_BYTES], memoryview(data)[_DIGEST_BYTES:]
    if digest != _digest(body):
        raise StateError(f"{path} is damaged")
    return unpacked(body)


def _digest(data: bytes | memoryview) -> bytes:
    return blake2b(data, digest_size=_DIGEST_BYTES).digest()


def _head(array: NDArray[Any] | None) -> Mapping[str, Any]:
    """What the state says of itself; empty where that cannot be read."""
    try:
        head = json.loads(b"" if array is None else array.tobytes())
    except ValueError:
        return {}
    return head if isinstance(head, dict) else {}


def _drop_others(directory: Path, kept: Path) -> None:
    """States of other revisions, and drafts that a crash left behind."""
    for path in directory.glob(f"*{_ENDING}*"):
        if path != kept:
            with suppress(OSError):
                path.unlink()
