"""What an expert computes: the form of its feed-forward network, and the weights of one.

The arithmetic itself belongs to whoever holds the weights (the function's kernel, the main model).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from remoe_functions.checkpoint.blocks import BlockTensor, Matrix
from remoe_functions.checkpoint.tensors import MappedTensor


class Activation(StrEnum):
    """The non-linearity between the up and the down projection."""

    SILU = "silu"
    GELU = "gelu"
    GELU_TANH = "gelu_tanh"
    RELU = "relu"
    RELU2 = "relu2"
    CLAMPED_SWIGLU = "clamped_swiglu"


@dataclass(frozen=True, slots=True, kw_only=True)
class FfnForm:
    """The form of an expert, the same for every expert of a model.

    A plain expert is `down(act(up(x)))`, a gated one `down(act(gate(x)) * up(x))`. With
    CLAMPED_SWIGLU the middle is `(clip(up, -limit, limit) + 1) * g * sigmoid(alpha * g)` where
    `g = min(gate, limit)`.

    Attributes:
        activation: the non-linearity.
        gated: whether there is a gate beside the up projection.
        fused: gate and up lie in one matrix.
        interleaved: in that matrix they alternate (g0, u0, g1, u1, ...), else gate comes first.
        transposed: matrices are [in, out], used as `x @ W`; else [out, in], used as `x @ W.T`.
        alpha: CLAMPED_SWIGLU's slope; 1.0 for the others, which do not read it.
        limit: CLAMPED_SWIGLU's clamp; None where nothing is clamped.
    """

    activation: Activation
    gated: bool = True
    fused: bool = False
    interleaved: bool = False
    transposed: bool = False
    alpha: float = 1.0
    limit: float | None = None

    def __post_init__(self) -> None:
        if self.interleaved and not self.fused:
            raise ValueError("interleaved needs fused: two matrices cannot alternate")
        if self.fused and not self.gated:
            raise ValueError("fused needs gated: there is nothing to fuse up with")
        if self.activation is Activation.CLAMPED_SWIGLU and not self.gated:
            raise ValueError("activation clamped_swiglu needs gated")
        if self.limit is not None and not self.limit > 0:
            raise ValueError(f"limit must be > 0 or None, got {self.limit}")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ExpertWeights:
    """One expert's tensors, still where they lie in the checkpoint.

    Matrices in blocks are [out, in]: their form is not `transposed`.

    Attributes:
        form: how they are used.
        up: (gate_up,) where fused, (gate, up) where gated, (up,) where plain.
        down: the projection back to the hidden size.
        up_bias: bias of the matrix in `up` (only where fused or plain), or None.
        down_bias: bias of `down`, or None.
    """

    form: FfnForm
    up: tuple[Matrix, ...]
    down: Matrix
    up_bias: MappedTensor | None = None
    down_bias: MappedTensor | None = None

    def __post_init__(self) -> None:
        if self.form.transposed and self.in_blocks:
            raise ValueError("transposed must be False where matrices lie in blocks")

    @property
    def in_blocks(self) -> bool:
        """Whether the matrices lie in blocks of few bits."""
        return isinstance(self.down, BlockTensor)

    @property
    def tensors(self) -> Iterator[Matrix]:
        """Every tensor it has."""
        yield from self.up
        yield self.down
        if self.up_bias is not None:
            yield self.up_bias
        if self.down_bias is not None:
            yield self.down_bias

    @property
    def nbytes(self) -> int:
        return sum(tensor.nbytes for tensor in self.tensors)

    @property
    def hidden_size(self) -> int:
        """Width of the rows it takes and gives."""
        return self.down.shape[1 if self.form.transposed else 0]

    @property
    def intermediate_size(self) -> int:
        """Width between its projections."""
        return self.down.shape[0 if self.form.transposed else 1]
