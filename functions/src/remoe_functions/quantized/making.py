"""A sidecar, made once from a checkpoint: whole or not at all, in bounded memory.

It is written under another name, and gets its own when every byte is on the disk. Parts of a matrix
are rounded on all cores at once; where each lies in the file is known beforehand, so the same
checkpoint gives the same bytes however many there are.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

from remoe_functions.checkpoint.blocks import PANEL, BlockFormat, BlockTensor
from remoe_functions.checkpoint.checkpoint import Checkpoint
from remoe_functions.checkpoint.ffn import ExpertWeights
from remoe_functions.checkpoint.sidecar import CODES, SCALES, piece_name
from remoe_functions.checkpoint.tensors import Dtype, MappedTensor
from remoe_functions.quantized.errors import QuantizationError
from remoe_functions.quantized.file import SidecarFile
from remoe_functions.quantized.rounding import rounded
from remoe_planner.experts import ExpertId

PART_WEIGHTS = 1 << 22  # rounded at a time by a core: 16 MiB in float32, and as much again thrice

Progress = Callable[[int, int], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """Some rows of one of an expert's matrices, [out, in], the first of them its row `begin`."""

    matrix: str
    begin: int
    rows: NDArray[Any]


def quantize(
    checkpoint: Checkpoint,
    precision: BlockFormat,
    path: Path,
    *,
    progress: Progress = lambda _done, _total: None,
) -> Path:
    """Make the sidecar of a checkpoint.

    Args:
        checkpoint: the checkpoint, served without a sidecar.
        precision: Q8 or Q4.
        path: the sidecar's file; one that is there is replaced.
        progress: told (experts done, experts in all).

    Returns:
        `path`.

    Raises:
        QuantizationError: the experts are in blocks already, or hold what cannot be rounded, or
            the file cannot be written; says why.
    """
    shape = checkpoint.sidecar_shape(precision)
    experts = list(checkpoint.architecture.experts)
    revision = checkpoint.architecture.revision
    with (
        SidecarFile.being_made(path, shape, revision) as file,
        ThreadPoolExecutor(os.cpu_count()) as pool,
    ):
        for done, expert in enumerate(experts):
            progress(done, len(experts))
            _write_expert(file, pool, checkpoint, precision, expert)
    progress(len(experts), len(experts))
    return path


def _write_expert(
    file: SidecarFile,
    pool: ThreadPoolExecutor,
    checkpoint: Checkpoint,
    precision: BlockFormat,
    expert: ExpertId,
) -> None:
    weights = checkpoint.expert(expert)
    for name in ("up_bias", "down_bias"):
        bias: MappedTensor | None = getattr(weights, name)
        if bias is not None:
            file.write(piece_name(expert.layer, name), expert.index, 0, bias.array)

    def write(part: _Part) -> None:
        _write_part(file, precision, expert, part)

    list(pool.map(write, _parts(weights)))
    checkpoint.release(expert)


def _parts(weights: ExpertWeights) -> Iterator[_Part]:
    names = (*(f"up{i}" for i in range(len(weights.up))), "down")
    for name, matrix in zip(names, (*weights.up, weights.down), strict=True):
        if isinstance(matrix, BlockTensor):
            raise QuantizationError(
                "the experts have few bits already; they are served as they are"
            )
        values = seen(matrix)
        rows = values.T if weights.form.transposed else values
        step = max(1, PART_WEIGHTS // rows.shape[1] // PANEL) * PANEL
        for begin in range(0, len(rows), step):
            yield _Part(matrix=name, begin=begin, rows=rows[begin : begin + step])


def _write_part(file: SidecarFile, precision: BlockFormat, expert: ExpertId, part: _Part) -> None:
    try:
        made = rounded(part.rows.astype(np.float32), precision)
    except ValueError as error:
        raise QuantizationError(f"expert {expert}, matrix {part.matrix}: {error}") from error
    for what, values in ((CODES, made.codes), (SCALES, made.scales)):
        name = piece_name(expert.layer, f"{part.matrix}.{what}")
        file.write(name, expert.index, part.begin // PANEL, values)


def seen(matrix: MappedTensor) -> NDArray[Any]:
    """The matrix in a type that casts to float32 by value."""
    is_bfloat16 = matrix.dtype is Dtype.BFLOAT16
    return matrix.array.view(ml_dtypes.bfloat16) if is_bfloat16 else matrix.array
