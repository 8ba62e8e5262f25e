"""One safetensors file, mapped into memory.

Written by hand because the safetensors package's numpy reader copies every tensor and does not
know bfloat16, and its header is needed anyway for what exists where. The format is small: eight
bytes of header length, a JSON header, then the tensors' bytes without gaps. A file that departs
from it is refused, as the reference reader does. Which files make a checkpoint is not known here.
"""

from __future__ import annotations

import json
import mmap
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cached_property
from itertools import pairwise
from math import prod
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from remoe_functions.checkpoint.address import page_in
from remoe_functions.checkpoint.errors import CheckpointError
from remoe_functions.checkpoint.files import LENGTH_BYTES, SAMPLE_BYTES, sample_spots
from remoe_functions.checkpoint.tensors import Dtype, MappedTensor

HEADER_LIMIT_BYTES = 100_000_000  # the reference reader's limit

_DTYPES = {dtype.value: dtype for dtype in Dtype}


class TensorPlace(NamedTuple):
    """Where a tensor lies: `begin` and `end` are bytes from the start of the file.

    Not a frozen dataclass: a large model has tens of thousands, made at every start.
    """

    dtype: Dtype
    shape: tuple[int, ...]
    begin: int
    end: int


class Shard:
    """A mapped safetensors file.

    Attributes:
        path: the file.
        header: the JSON header's bytes.
        size_bytes: of the whole file.
    """

    def __init__(self, path: Path) -> None:
        """Map a file; what its header says is read when `places` is first asked for.

        Raises:
            CheckpointError: the file is missing, empty, truncated or not safetensors.
        """
        self.path = path
        with _opened(path) as file:
            self.size_bytes = os.fstat(file.fileno()).st_size
            self.header = _header(path, file, self.size_bytes)
            self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)

    @cached_property
    def places(self) -> Mapping[str, TensorPlace]:
        """Each tensor's place, by name.

        Raises:
            CheckpointError: the header is not safetensors', or contradicts the file.
        """
        return _places(self.path, self.header, self.size_bytes)

    def tensor(self, name: str) -> MappedTensor:
        """The tensor of that name, as a read-only view; the name must be in `places`."""
        place = self.places[name]
        memory = memoryview(self._map)[place.begin : place.end]
        return MappedTensor(memory=memory, dtype=place.dtype, shape=place.shape)

    @property
    def metadata(self) -> Mapping[str, Any]:
        """The header's free-form entries; empty where it has none."""
        found = json.loads(self.header).get("__metadata__")
        return found if isinstance(found, dict) else {}

    def sample(self, files: int) -> bytes:
        """Bytes from evenly spaced places in the tensors: what tells equal shapes apart.

        Args:
            files: of the checkpoint.

        Read, not looked at through the mapping: a fault there would bring in its neighborhood.

        Raises:
            CheckpointError: the file has gone since.
        """
        spots = sample_spots(self.size_bytes, len(self.header), files)
        with _opened(self.path) as file:
            return b"".join(os.pread(file.fileno(), SAMPLE_BYTES, spot) for spot in spots)

    def read_ahead(self, begin: int, end: int) -> None:
        """Bring [begin, end) of the file into the system's memory, at the speed of the disk.

        The file is sent to nowhere: one system call a range, nothing copied, and the interpreter
        goes on meanwhile. (MADV_WILLNEED stops after the device's read-ahead, often 128 KiB.)
        Systems that cannot do it read at the first touch.
        """
        with _opened(self.path) as file, suppress(OSError), Path(os.devnull).open("wb") as nowhere:
            target, source = nowhere.fileno(), file.fileno()
            while begin < end and (sent := os.sendfile(target, source, begin, end - begin)):
                begin += sent

    def touch(self, begin: int, end: int) -> None:
        """Bring the pages of [begin, end) into this process."""
        with memoryview(self._map) as whole, whole[begin:end] as pages:
            if not page_in(pages):
                pages[:: mmap.PAGESIZE].tobytes()

    def advise(self, advice: int, begin: int, end: int) -> None:
        """Give the system advice (madvise) on the whole pages within [begin, end) of the file."""
        first = -(-begin // mmap.PAGESIZE) * mmap.PAGESIZE
        last = end if end == self.size_bytes else end // mmap.PAGESIZE * mmap.PAGESIZE
        if first < last:
            self._map.madvise(advice, first, last - first)

    def close(self) -> None:
        """Unmap; while views are alive the mapping stays, and goes with the last of them."""
        try:
            self._map.close()
        except BufferError:
            return


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    try:
        with path.open("rb", buffering=0) as file:
            yield file
    except FileNotFoundError as error:
        raise CheckpointError(f"{path}: no such file") from error
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read: {error.strerror}") from error


def _header(path: Path, file: BinaryIO, size_bytes: int) -> bytes:
    if size_bytes < LENGTH_BYTES:
        raise CheckpointError(f"{path}: truncated: {size_bytes} bytes hold no safetensors header")
    length = int.from_bytes(os.pread(file.fileno(), LENGTH_BYTES, 0), "little")
    if length > HEADER_LIMIT_BYTES:
        raise CheckpointError(
            f"{path}: corrupt header: length {length}, at most {HEADER_LIMIT_BYTES} is allowed"
        )
    if LENGTH_BYTES + length > size_bytes:
        raise CheckpointError(
            f"{path}: truncated: a header of {length} bytes in a file of {size_bytes}"
        )
    return os.pread(file.fileno(), length, LENGTH_BYTES)


def _places(path: Path, header: bytes, size_bytes: int) -> Mapping[str, TensorPlace]:
    try:
        entries = json.loads(header, object_pairs_hook=_no_twins)
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path}: corrupt header: {error}") from error
    if not isinstance(entries, dict):
        raise CheckpointError(f"{path}: corrupt header: a JSON object is needed")
    start = LENGTH_BYTES + len(header)
    places = {
        name: _place(path, name, entry, start)
        for name, entry in entries.items()
        if name != "__metadata__"
    }
    _check_cover(path, places, start, size_bytes)
    return places


def _no_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    entries = dict(pairs)
    if len(entries) != len(pairs):
        raise ValueError("a name occurs twice")
    return entries


def _place(path: Path, name: str, entry: Any, start: int) -> TensorPlace:  # noqa: ANN401
    try:
        dtype = _DTYPES.get(entry["dtype"]) or Dtype(entry["dtype"])
        shape = tuple(entry["shape"])
        begin, end = entry["data_offsets"]
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{path}: corrupt header: tensor {name}: {error}") from error
    for number in (*shape, begin, end):
        if type(number) is not int or number < 0:
            raise CheckpointError(
                f"{path}: corrupt header: tensor {name}: shape and data_offsets must be integers "
                f">= 0, got {list(shape)} and {[begin, end]}"
            )
    if end - begin != prod(shape) * dtype.itemsize:
        raise CheckpointError(
            f"{path}: corrupt header: tensor {name}: {end - begin} bytes for {dtype} {list(shape)}"
        )
    return TensorPlace(dtype, shape, start + begin, start + end)


def _check_cover(
    path: Path, places: Mapping[str, TensorPlace], start: int, size_bytes: int
) -> None:
    ordered = sorted(places.items(), key=lambda item: (item[1].begin, item[1].end))
    for (left, before), (right, after) in pairwise(ordered):
        if before.end > after.begin:
            raise CheckpointError(f"{path}: corrupt header: {left} and {right} overlap")
        if before.end < after.begin:
            raise CheckpointError(f"{path}: corrupt header: a gap between {left} and {right}")
    if ordered and ordered[0][1].begin != start:
        raise CheckpointError(f"{path}: corrupt header: a gap before {ordered[0][0]}")
    end = ordered[-1][1].end if ordered else start
    if end > size_bytes:
        raise CheckpointError(f"{path}: truncated: tensors end at {end}, the file at {size_bytes}")
    if end < size_bytes:
        raise CheckpointError(f"{path}: {size_bytes - end} bytes after the last tensor")
