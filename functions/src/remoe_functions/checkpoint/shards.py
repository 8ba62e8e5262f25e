"""The safetensors files of a checkpoint folder, as one collection of named tensors."""

from __future__ import annotations

import hashlib
import json
import mmap
from collections.abc import Mapping
from pathlib import Path, PurePath
from typing import Any

import numpy as np

from remoe_functions.checkpoint.errors import CheckpointError
from remoe_functions.checkpoint.shard import Shard, TensorPlace
from remoe_functions.checkpoint.tensors import MappedTensor

SINGLE_FILE = "model.safetensors"
INDEX_FILE = "model.safetensors.index.json"
SAMPLE_SPOTS = 64
SAMPLE_BYTES = 512


class Shards:
    """Every tensor of a checkpoint by name, whichever file it lies in."""

    def __init__(self, directory: Path) -> None:
        """Map `model.safetensors`, or the shards that `model.safetensors.index.json` names.

        Raises:
            CheckpointError: neither is there, or a file is missing, truncated or corrupt.
        """
        self._shards: list[Shard] = []
        self._home: dict[str, Shard] = {}
        try:
            self._open(directory)
        except CheckpointError:
            self.close()
            raise

    def _open(self, directory: Path) -> None:
        index = directory / INDEX_FILE
        if (directory / SINGLE_FILE).exists():
            self._add(Shard(directory / SINGLE_FILE))
        elif index.exists():
            self._open_indexed(directory, _weight_map(index))
        else:
            raise CheckpointError(f"{directory}: has neither {SINGLE_FILE} nor {INDEX_FILE}")

    def _open_indexed(self, directory: Path, weight_map: Mapping[str, str]) -> None:
        for file in sorted(set(weight_map.values())):
            self._add(Shard(directory / file))
        for name, file in weight_map.items():
            if name not in self._home or self._home[name].path.name != file:
                raise CheckpointError(
                    f"{directory / file}: has no tensor {name}, the index says so"
                )

    def _add(self, shard: Shard) -> None:
        self._shards.append(shard)
        self._home |= dict.fromkeys(shard.places, shard)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all tensors, sorted."""
        return tuple(sorted(self._home))

    def __contains__(self, name: str) -> bool:
        return name in self._home

    def place(self, name: str) -> TensorPlace:
        """Type, shape and place of a tensor.

        Raises:
            CheckpointError: there is none of that name.
        """
        return self._shard_of(name).places[name]

    def tensor(self, name: str) -> MappedTensor:
        """The tensor of that name.

        Raises:
            CheckpointError: there is none of that name.
        """
        return self._shard_of(name).tensor(name)

    def _shard_of(self, name: str) -> Shard:
        try:
            return self._home[name]
        except KeyError:
            raise CheckpointError(f"the checkpoint has no tensor {name}") from None

    def digest(self) -> str:
        """What tells these weights from others: headers, sizes and a sample of the bytes."""
        digest = hashlib.sha256()
        for shard in self._shards:
            digest.update(f"{shard.path.name}:{shard.size_bytes}:".encode())
            digest.update(shard.header)
            digest.update(shard.sample(max(1, SAMPLE_SPOTS // len(self._shards)), SAMPLE_BYTES))
        return digest.hexdigest()

    def touch(self, name: str, part: int | None = None) -> None:
        """Bring a tensor (or one entry of its first axis) into memory."""
        shard, begin, end = self._range(name, part)
        shard.advise(mmap.MADV_WILLNEED, begin, end)
        whole = shard.tensor(name).array
        pages = (whole if part is None else whole[part]).reshape(-1).view(np.uint8)
        pages[:: mmap.PAGESIZE].max(initial=0)

    def release(self, name: str, part: int | None = None) -> None:
        """Let a tensor's whole pages leave the resident set; they come back when next read."""
        shard, begin, end = self._range(name, part)
        shard.advise(mmap.MADV_DONTNEED, begin, end)

    def _range(self, name: str, part: int | None) -> tuple[Shard, int, int]:
        shard, place = self._shard_of(name), self.place(name)
        if part is None:
            return shard, place.begin, place.end
        stride = (place.end - place.begin) // place.shape[0]
        return shard, place.begin + part * stride, place.begin + (part + 1) * stride

    def close(self) -> None:
        """Unmap every file."""
        for shard in self._shards:
            shard.close()


def _weight_map(index: Path) -> Mapping[str, str]:
    try:
        weight_map: Any = json.loads(index.read_bytes())["weight_map"]
        files = set(weight_map.values())
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise CheckpointError(f"{index}: corrupt: {error!r}") from error
    for file in files:
        if not isinstance(file, str) or file in {"", ".", ".."} or PurePath(file).name != file:
            raise CheckpointError(
                f"{index}: weight_map must name files of the folder, got {file!r}"
            )
    return dict(weight_map)
