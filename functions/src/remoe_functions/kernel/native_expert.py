"""Experts as native code sees them: pointers to tensors where they lie, which stay mapped by this.

Nothing is copied: a matrix may lie at any address, its rows dense.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias, overload

from remoe_functions.checkpoint.address import address_of
from remoe_functions.checkpoint.blocks import BlockTensor, Matrix
from remoe_functions.checkpoint.ffn import ExpertWeights, FfnForm
from remoe_functions.checkpoint.tensors import MappedTensor
from remoe_functions.kernel.layout import (
    ACTIVATIONS,
    BIAS,
    BLOCK_FORMATS,
    EXPERT,
    FORM,
    MATRIX,
    PLAIN_FORMATS,
    Format,
)

if TYPE_CHECKING:
    import numpy as np

    Plane: TypeAlias = memoryview | np.ndarray[Any, np.dtype[Any]]

_NO_MATRIX = bytes(MATRIX.size)
_NO_BIAS = bytes(BIAS.size)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class NativeMatrix:
    """A matrix in some format, where it lies.

    Attributes:
        data: its bytes, rows of equal size one after the other, or in panels.
        shape: (rows, columns) in weights.
        format: how weights are written.
        scales: a second plane, as the first, for formats that have one.
        transposed: [in, out] instead of [out, in]; plain formats only.
        panel: rows that lie side by side; the last panel is whole.
    """

    data: Plane
    shape: tuple[int, int]
    format: Format
    scales: Plane | None = None
    transposed: bool = False
    panel: int = 1

    def __post_init__(self) -> None:
        for name, plane in (("data", self.data), ("scales", self.scales)):
            if plane is not None and not memoryview(plane).c_contiguous:  # type: ignore[arg-type]
                raise ValueError(f"{name} must be contiguous, got strides {plane.strides}")
        if self.transposed and self.format not in PLAIN_FORMATS.values():
            raise ValueError(f"transposed needs a plain format, got {self.format.name}")

    @classmethod
    def of(cls, tensor: Matrix, name: str, *, transposed: bool) -> NativeMatrix:
        """A matrix of a checkpoint, or of its sidecar.

        Raises:
            ValueError: not a matrix, or its elements are not of a plain format.
        """
        if isinstance(tensor, BlockTensor):
            return cls(
                data=tensor.codes,
                shape=(tensor.shape[0], tensor.shape[1]),
                format=BLOCK_FORMATS[tensor.format],
                scales=tensor.scales,
                transposed=transposed,
                panel=tensor.format.panel,
            )
        if tensor.dtype not in PLAIN_FORMATS:
            allowed = ", ".join(PLAIN_FORMATS)
            raise ValueError(f"{name}: element type must be one of {allowed}, got {tensor.dtype}")
        if len(tensor.shape) != 2 or 0 in tensor.shape:
            raise ValueError(f"{name}: shape must be two sizes above 0, got {list(tensor.shape)}")
        return cls(
            data=tensor.memory,
            shape=(tensor.shape[0], tensor.shape[1]),
            format=PLAIN_FORMATS[tensor.dtype],
            transposed=transposed,
        )

    @property
    def nbytes(self) -> int:
        return self.data.nbytes + (0 if self.scales is None else self.scales.nbytes)

    @property
    def outputs(self) -> int:
        """How wide its product is."""
        return self.shape[1 if self.transposed else 0]

    @property
    def inputs(self) -> int:
        """How wide what it multiplies is."""
        return self.shape[0 if self.transposed else 1]

    @property
    def packed(self) -> bytes:
        """As native code reads it."""
        scales = self.scales
        rows = -(-self.shape[0] // self.panel) * self.panel
        return MATRIX.pack(
            address_of(self.data),
            0 if scales is None else address_of(scales),
            self.data.nbytes // rows,
            0 if scales is None else scales.nbytes // rows,
            self.format,
            self.transposed,
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class NativeExpert:
    """An expert, checked and ready to be computed.

    Attributes:
        form: how its matrices are used.
        up: (gate_up,) where fused, (gate, up) where gated, (up,) where plain.
        down: back to the hidden size.
        up_bias: bias of the matrix in `up`, or None.
        down_bias: bias of `down`, or None.
        packed: as native code reads it.
    """

    form: FfnForm
    up: tuple[NativeMatrix, ...]
    down: NativeMatrix
    up_bias: MappedTensor | None = None
    down_bias: MappedTensor | None = None
    packed: bytes = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._check()
        object.__setattr__(self, "packed", self._packed())

    @classmethod
    def of(cls, weights: ExpertWeights) -> NativeExpert:
        """Prepare an expert of a checkpoint.

        Raises:
            ValueError: a tensor's shape or element type does not fit; names the tensor.
        """
        transposed = weights.form.transposed
        up = tuple(
            NativeMatrix.of(tensor, f"up[{index}]", transposed=transposed)
            for index, tensor in enumerate(weights.up)
        )
        return cls(
            form=weights.form,
            up=up,
            down=NativeMatrix.of(weights.down, "down", transposed=transposed),
            up_bias=weights.up_bias,
            down_bias=weights.down_bias,
        )

    @property
    def hidden_size(self) -> int:
        """Width of the rows it takes and gives."""
        return self.down.outputs

    @property
    def intermediate_size(self) -> int:
        """Width between its projections."""
        return self.down.inputs

    @property
    def nbytes(self) -> int:
        biases = (self.up_bias, self.down_bias)
        matrices = sum(matrix.nbytes for matrix in (*self.up, self.down))
        return matrices + sum(bias.nbytes for bias in biases if bias is not None)

    def _check(self) -> None:
        form = self.form
        count = 2 if form.gated and not form.fused else 1
        if len(self.up) != count:
            raise ValueError(f"up must hold {count} matrices, got {len(self.up)}")
        if self.up_bias is not None and count == 2:
            raise ValueError("up_bias needs one matrix in up, got 2")
        width = self.intermediate_size * (2 if form.fused else 1)
        for index, matrix in enumerate(self.up):
            if (matrix.outputs, matrix.inputs) != (width, self.hidden_size):
                raise ValueError(
                    f"up[{index}] must map {self.hidden_size} to {width}, "
                    f"got {matrix.inputs} to {matrix.outputs}"
                )
        _check_bias("up_bias", self.up_bias, width)
        _check_bias("down_bias", self.down_bias, self.hidden_size)

    def _packed(self) -> bytes:
        form = self.form
        second = self.up[1].packed if len(self.up) == 2 else _NO_MATRIX
        numbers = FORM.pack(
            self.intermediate_size,
            ACTIVATIONS[form.activation],
            form.gated,
            form.fused,
            form.interleaved,
            form.alpha,
            float("inf") if form.limit is None else form.limit,
            0,
        )
        matrices = self.up[0].packed + second + self.down.packed
        biases = _packed_bias(self.up_bias) + _packed_bias(self.down_bias)
        return EXPERT.pack(matrices, biases, numbers)


class ExpertTable(Sequence[NativeExpert]):
    """A layer's experts side by side, as a call needs them: make it once, not for each call."""

    def __init__(self, experts: Iterable[NativeExpert]) -> None:
        """Put experts together.

        Raises:
            ValueError: none, more than 65536, or of several hidden sizes.
        """
        self._experts = tuple(experts)
        if not 0 < len(self._experts) <= 1 << 16:
            raise ValueError(f"experts must be 1 to 65536, got {len(self._experts)}")
        if len(sizes := {expert.hidden_size for expert in self._experts}) > 1:
            raise ValueError(f"experts must have one hidden size, got {sorted(sizes)}")
        self.hidden_size = self._experts[0].hidden_size
        packed = b"".join(expert.packed for expert in self._experts)
        self._packed = ctypes.create_string_buffer(packed, len(packed))
        self.address = ctypes.addressof(self._packed)

    def __len__(self) -> int:
        return len(self._experts)

    def __iter__(self) -> Iterator[NativeExpert]:
        return iter(self._experts)

    @overload
    def __getitem__(self, index: int) -> NativeExpert: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[NativeExpert]: ...
    def __getitem__(self, index: int | slice) -> NativeExpert | Sequence[NativeExpert]:
        return self._experts[index]


def _check_bias(name: str, bias: MappedTensor | None, width: int) -> None:
    if bias is None:
        return
    if bias.dtype not in PLAIN_FORMATS:
        allowed = ", ".join(PLAIN_FORMATS)
        raise ValueError(f"{name}: element type must be one of {allowed}, got {bias.dtype}")
    if bias.shape != (width,) or not bias.memory.c_contiguous:
        raise ValueError(f"{name}: shape must be [{width}], dense, got {list(bias.shape)}")


def _packed_bias(bias: MappedTensor | None) -> bytes:
    if bias is None:
        return _NO_BIAS
    return BIAS.pack(address_of(bias.memory), PLAIN_FORMATS[bias.dtype], 0)
