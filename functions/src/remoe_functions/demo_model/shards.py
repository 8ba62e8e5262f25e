"""Writing weights as safetensors shards, byte for byte the same on every machine.

The format is written here and not by its library, whose order of tensors is no promise.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from remoe_functions.demo_model.deltas import Bfloat16

INDEX = "model.safetensors.index.json"
_ALIGNMENT = 8  # of the header, so that tensors lie aligned in a mapped file


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """One file of the checkpoint, what it holds and how many bytes of it are weights."""

    filename: str
    names: tuple[str, ...]
    weight_bytes: int


def shard_name(index: int, count: int) -> str:
    """Hugging Face's name of one shard out of so many, counted from one."""
    return f"model-{index + 1:05d}-of-{count:05d}.safetensors"


def write_shard(path: Path, tensors: Mapping[str, Bfloat16]) -> Shard:
    """Write tensors by name: header, then data, in the order of the names."""
    names = tuple(sorted(tensors))
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    offset = 0
    for name in names:
        end = offset + tensors[name].nbytes
        shape = list(tensors[name].shape)
        header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [offset, end]}
        offset = end
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % _ALIGNMENT)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for name in names:
            file.write(tensors[name].astype("<u2", copy=False).data)
    return Shard(filename=path.name, names=names, weight_bytes=offset)


def index_of(shards: list[Shard]) -> dict[str, Any]:
    """The index that tells loaders which file holds which tensor."""
    return {
        "metadata": {"total_size": sum(shard.weight_bytes for shard in shards)},
        "weight_map": {name: shard.filename for shard in shards for name in shard.names},
    }
