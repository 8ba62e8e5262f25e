"""The file of a sidecar while it is being made."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from remoe_functions.checkpoint.files import LENGTH_BYTES
from remoe_functions.checkpoint.sidecar import Piece, SidecarShape
from remoe_functions.quantized.errors import QuantizationError

_ALIGNMENT = 64
_NOT_SUPPORTED = (errno.EOPNOTSUPP, errno.EINVAL)


class SidecarFile:
    """A file under a name of its own, until it is whole; any thread may write."""

    def __init__(self, descriptor: int, shape: SidecarShape, revision: str) -> None:
        self._descriptor = descriptor
        self._pieces: Mapping[str, tuple[Piece, int]] = {}
        header = self._lay_out(shape, revision)
        self._reserve()
        self._put(header, 0)

    @classmethod
    @contextlib.contextmanager
    def being_made(cls, path: Path, shape: SidecarShape, revision: str) -> Iterator[SidecarFile]:
        """A file that becomes `path` when the block ends well, and is gone when it does not.

        Raises:
            QuantizationError: another process makes it, or it cannot be written; says why.
        """
        part = path.with_name(f".{path.name}.part")
        try:
            descriptor = _taken(part)
            try:
                yield cls(descriptor, shape, revision)
                os.fsync(descriptor)
                part.replace(path)
                _sync_folder(path.parent)
            except BaseException:
                part.unlink(missing_ok=True)
                raise
            finally:
                os.close(descriptor)
        except OSError as error:
            raise QuantizationError(f"{path}: cannot be written: {error.strerror}") from error

    def _lay_out(self, shape: SidecarShape, revision: str) -> bytes:
        entries: dict[str, Any] = {"__metadata__": shape.metadata(revision)}
        offset = 0
        for piece in shape.pieces:
            end = offset + prod(piece.shape) * piece.dtype.itemsize
            entries[piece.name] = {
                "dtype": piece.dtype,
                "shape": piece.shape,
                "data_offsets": (offset, end),
            }
            offset = end
        header = json.dumps(entries, separators=(",", ":")).encode()
        header += b" " * (-(LENGTH_BYTES + len(header)) % _ALIGNMENT)
        start = LENGTH_BYTES + len(header)
        self._size = start + offset
        self._pieces = {
            piece.name: (piece, start + entries[piece.name]["data_offsets"][0])
            for piece in shape.pieces
        }
        return len(header).to_bytes(LENGTH_BYTES, "little") + header

    def _reserve(self) -> None:
        """Take the disk's room now: a full disk is told before the work, not after."""
        os.ftruncate(self._descriptor, 0)
        try:
            os.posix_fallocate(self._descriptor, 0, self._size)
        except OSError as error:
            if error.errno not in _NOT_SUPPORTED:
                raise
            os.ftruncate(self._descriptor, self._size)

    def write(self, name: str, expert: int, row: int, values: NDArray[Any]) -> None:
        """Put rows of one expert's entry, from `row` on, where they belong.

        Raises:
            OSError: the disk does not take them.
        """
        piece, begin = self._pieces[name]
        each = prod(piece.shape[1:]) * piece.dtype.itemsize
        per_row = each // piece.shape[1]
        self._put(np.ascontiguousarray(values).tobytes(), begin + expert * each + row * per_row)

    def _put(self, data: bytes, place: int) -> None:
        view = memoryview(data)
        while view:
            written = os.pwrite(self._descriptor, view, place)
            view, place = view[written:], place + written


def _taken(path: Path) -> int:
    """The file, opened and locked; what an earlier, killed run left in it does not matter."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise QuantizationError(f"{path}: another process is making this file") from error
    return descriptor


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
