"""A sidecar: a checkpoint's routed experts once more, in blocks of fewer bits, in a file beside it.

A safetensors file, so that any reader of those can look into it; its metadata say what it is and
which weights it was made from. Experts are stacked: for every layer and matrix one tensor of codes
and one of scales, [experts, ...], and biases as they were. Making one is `quantized`'s work.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from remoe_functions.checkpoint.blocks import BLOCK, BlockFormat, BlockTensor
from remoe_functions.checkpoint.errors import SidecarError
from remoe_functions.checkpoint.experts import ExpertTable
from remoe_functions.checkpoint.ffn import ExpertWeights, FfnForm
from remoe_functions.checkpoint.shards import Shards
from remoe_functions.checkpoint.tensors import Dtype, MappedTensor
from remoe_planner.experts import ExpertId

KIND, VERSION = "remoe-experts", "2"
SERVED = (BlockFormat.Q8, BlockFormat.Q4)
CODES, SCALES = "codes", "scales"


def sidecar_file(directory: Path, precision: BlockFormat) -> Path:
    """Where a checkpoint's sidecar lies unless it is told otherwise."""
    return directory / f"remoe-experts-{precision}.safetensors"


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """One tensor of a layer in a sidecar, experts stacked along its first axis.

    Attributes:
        name: its name in the file.
        dtype: its element type.
        shape: [experts, ...].
    """

    name: str
    dtype: Dtype
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SidecarShape:
    """What a sidecar holds, by the model that it belongs to.

    Attributes:
        precision: how the weights are written.
        table: the model's experts.
        biases: element type of each bias that the experts have.
    """

    precision: BlockFormat
    table: ExpertTable
    biases: Mapping[str, Dtype]

    @classmethod
    def of(cls, precision: BlockFormat, table: ExpertTable, shards: Shards) -> SidecarShape:
        """The shape of the sidecar of a checkpoint."""
        templates = {"up_bias": table.layout.up_bias, "down_bias": table.layout.down_bias}
        biases = {
            what: shards.place(table.layout.name(template, table.layers[0], 0)).dtype
            for what, template in templates.items()
            if template is not None
        }
        return cls(precision=precision, table=table, biases=biases)

    @property
    def form(self) -> FfnForm:
        """How the experts of the sidecar compute: matrices in it are [out, in]."""
        return replace(self.table.form, transposed=False)

    @property
    def matrices(self) -> dict[str, tuple[int, int]]:
        """(out, in) of each of an expert's matrices, by the name it has in the file."""
        hidden, inner = self.table.hidden_size, self.table.intermediate_size
        form = self.table.form
        up = (2 * inner if form.fused else inner, hidden)
        count = 2 if form.gated and not form.fused else 1
        return {f"up{i}": up for i in range(count)} | {"down": (hidden, inner)}

    @property
    def pieces(self) -> Iterator[Piece]:
        """Every tensor, in the order of the file: biases, then matrix by matrix, layer by layer."""
        for layer in self.table.layers:
            for bias, dtype in self.biases.items():
                shape = (self._bias_size(bias),)
                yield self._piece(layer, bias, dtype, shape)
        for layer in self.table.layers:
            for matrix, size in self.matrices.items():
                codes, scales = self.precision.code_shape(*size), self.precision.scale_shape(*size)
                yield self._piece(layer, f"{matrix}.{CODES}", self.precision.code_dtype, codes)
                scale_dtype = self.precision.scale_dtypes[0]
                yield self._piece(layer, f"{matrix}.{SCALES}", scale_dtype, scales)

    def _bias_size(self, bias: str) -> int:
        return self.matrices["up0" if bias == "up_bias" else "down"][0]

    def _piece(self, layer: int, what: str, dtype: Dtype, shape: tuple[int, ...]) -> Piece:
        experts = self.table.experts_per_layer
        return Piece(name=piece_name(layer, what), dtype=dtype, shape=(experts, *shape))

    def metadata(self, revision: str) -> dict[str, str]:
        """What the file says of itself."""
        return {
            "kind": KIND,
            "version": VERSION,
            "precision": self.precision,
            "block": str(BLOCK),
            "revision": revision,
        }


def piece_name(layer: int, what: str) -> str:
    """The name of one of a layer's tensors."""
    return f"layers.{layer}.experts.{what}"


class Sidecar:
    """A mapped sidecar that belongs to a checkpoint."""

    def __init__(self, path: Path, table: ExpertTable, shards: Shards, revision: str) -> None:
        """Map the file and check it against the checkpoint.

        Args:
            path: the file.
            table: the checkpoint's experts.
            shards: the checkpoint's tensors.
            revision: the checkpoint's revision.

        Raises:
            SidecarError: it is missing, no sidecar, or one of other weights; says how to make it.
            CheckpointError: it is truncated or corrupt.
        """
        if not path.is_file():
            raise SidecarError(f"{path}: no such file; `remoe quantize` makes it")
        self.shards = Shards.single(path)
        try:
            self._shape = _checked(path, self.shards.metadata, table, shards, revision)
            for piece in self._shape.pieces:
                _check_piece(path, self.shards, piece)
        except BaseException:
            self.shards.close()
            raise

    def pieces(self, expert: ExpertId) -> Iterator[tuple[str, int]]:
        """(tensor name, entry of its first axis) of everything that makes an expert."""
        for what in self._names():
            yield piece_name(expert.layer, what), expert.index

    def weights(self, expert: ExpertId) -> ExpertWeights:
        """An expert's weights, as views on the file; the model must have it."""
        parts = {
            what: self.shards.tensor(piece_name(expert.layer, what)).part(expert.index)
            for what in self._names()
        }
        matrices = [self._matrix(parts, *item) for item in self._shape.matrices.items()]
        return ExpertWeights(
            form=self._shape.form,
            up=tuple(matrices[:-1]),
            down=matrices[-1],
            up_bias=parts.get("up_bias"),
            down_bias=parts.get("down_bias"),
        )

    def _names(self) -> Iterator[str]:
        for matrix in self._shape.matrices:
            yield f"{matrix}.{CODES}"
            yield f"{matrix}.{SCALES}"
        yield from self._shape.biases

    def _matrix(
        self, parts: Mapping[str, MappedTensor], matrix: str, size: tuple[int, int]
    ) -> BlockTensor:
        return BlockTensor(
            format=self._shape.precision,
            codes=parts[f"{matrix}.{CODES}"].array,
            scales=parts[f"{matrix}.{SCALES}"].array,
            out_size=size[0],
            in_size=size[1],
        )

    def close(self) -> None:
        """Unmap the file."""
        self.shards.close()


def _checked(
    path: Path, metadata: Mapping[str, Any], table: ExpertTable, shards: Shards, revision: str
) -> SidecarShape:
    if metadata.get("kind") != KIND:
        raise SidecarError(f"{path}: not a file of quantized experts; `remoe quantize` makes one")
    if metadata.get("version") != VERSION or metadata.get("block") != str(BLOCK):
        raise SidecarError(
            f"{path}: of format {metadata.get('version')!r} with blocks of "
            f"{metadata.get('block')!r}, served are {VERSION!r} and '{BLOCK}'; "
            "make it again with `remoe quantize`"
        )
    if metadata.get("precision") not in SERVED:
        raise SidecarError(
            f"{path}: precision must be one of {', '.join(SERVED)}, "
            f"got {metadata.get('precision')!r}"
        )
    if metadata.get("revision") != revision:
        raise SidecarError(
            f"{path}: made from weights of revision {metadata.get('revision')}, the model is of "
            f"revision {revision}; make it again with `remoe quantize`"
        )
    return SidecarShape.of(BlockFormat(metadata["precision"]), table, shards)


def _check_piece(path: Path, shards: Shards, piece: Piece) -> None:
    if piece.name not in shards:
        raise SidecarError(f"{path}: has no tensor {piece.name}; make it again")
    place = shards.place(piece.name)
    if (place.dtype, place.shape) != (piece.dtype, piece.shape):
        raise SidecarError(
            f"{path}: tensor {piece.name} is {place.dtype} {list(place.shape)}, "
            f"the model makes it {piece.dtype} {list(piece.shape)}; make it again"
        )
