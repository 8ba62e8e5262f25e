"""The safetensors files of a checkpoint folder, as one collection of named tensors."""

from __future__ import annotations

import hashlib
import json
import mmap
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePath
from typing import Any

from remoe_functions.checkpoint.errors import CheckpointError
from remoe_functions.checkpoint.files import INDEX_FILE, SINGLE_FILE
from remoe_functions.checkpoint.shard import Shard, TensorPlace
from remoe_functions.checkpoint.tensors import MappedTensor


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

    @classmethod
    def single(cls, path: Path) -> Shards:
        """The tensors of one file, whatever its name.

        Raises:
            CheckpointError: it is missing, truncated or corrupt.
        """
        shards = cls.__new__(cls)
        shards._hold(Shard(path))  # noqa: SLF001 (its own)
        return shards

    def _hold(self, single: Shard) -> None:
        self._shards = [single]
        self._home = dict.fromkeys(single.places, single)

    def _open(self, directory: Path) -> None:
        index = directory / INDEX_FILE
        if (directory / SINGLE_FILE).exists():
            self._hold(Shard(directory / SINGLE_FILE))
        elif index.exists():
            self._open_indexed(directory, _weight_map(index))
        else:
            raise CheckpointError(f"{directory}: has neither {SINGLE_FILE} nor {INDEX_FILE}")

    def _open_indexed(self, directory: Path, weight_map: Mapping[str, str]) -> None:
        by_file: dict[str, Shard] = {}
        for file in sorted(set(weight_map.values())):
            by_file[file] = Shard(directory / file)
            self._shards.append(by_file[file])
        self._home = {name: by_file[file] for name, file in weight_map.items()}

    def check(self) -> None:
        """Read every file's header, and see that each has what the index says.

        Without this only headers of files that are looked into are read.

        Raises:
            CheckpointError: a header is corrupt, or has not what the index says.
        """
        for name in self._home:
            self.place(name)
        for shard in self._shards:
            self._home |= dict.fromkeys(shard.places, shard)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all tensors, sorted."""
        return tuple(sorted(self._home))

    @property
    def metadata(self) -> Mapping[str, Any]:
        """What the files' headers say besides where tensors lie; the last file's word counts."""
        found: dict[str, Any] = {}
        for shard in self._shards:
            found |= shard.metadata
        return found

    def __contains__(self, name: str) -> bool:
        return name in self._home

    def place(self, name: str) -> TensorPlace:
        """Type, shape and place of a tensor.

        Raises:
            CheckpointError: there is none of that name.
        """
        shard = self._shard_of(name)
        if name not in shard.places:
            raise CheckpointError(f"{shard.path}: has no tensor {name}, the index says so")
        return shard.places[name]

    def tensor(self, name: str) -> MappedTensor:
        """The tensor of that name.

        Raises:
            CheckpointError: there is none of that name.
        """
        self.place(name)
        return self._home[name].tensor(name)

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
            digest.update(shard.sample(len(self._shards)))
        return digest.hexdigest()

    def read_ahead(self, pieces: Iterable[tuple[str, int | None]]) -> None:
        """Bring tensors into the system's memory; an entry of the first axis, or all of it.

        Pieces that lie side by side are read in one go.
        """
        ranges = sorted((self._range(*piece) for piece in pieces), key=_place_in_file)
        while ranges:
            shard, begin, end = ranges.pop(0)
            while ranges and ranges[0][0] is shard and ranges[0][1] <= end:
                end = max(end, ranges.pop(0)[2])
            shard.read_ahead(begin, end)

    def touch(self, name: str, part: int | None = None) -> None:
        """Bring a tensor (or one entry of its first axis) into this process."""
        shard, begin, end = self._range(name, part)
        shard.touch(begin, end)

    def release(self, name: str, part: int | None = None) -> None:
        """Let a tensor's whole pages leave the resident set; they come back when next read."""
        shard, begin, end = self._range(name, part)
        shard.advise(mmap.MADV_DONTNEED, begin, end)

    def _range(self, name: str, part: int | None = None) -> tuple[Shard, int, int]:
        shard, place = self._shard_of(name), self.place(name)
        if part is None:
            return shard, place.begin, place.end
        stride = (place.end - place.begin) // place.shape[0]
        return shard, place.begin + part * stride, place.begin + (part + 1) * stride

    def close(self) -> None:
        """Unmap every file."""
        for shard in self._shards:
            shard.close()


def _place_in_file(piece: tuple[Shard, int, int]) -> tuple[Path, int]:
    return piece[0].path, piece[1]


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
