"""Experts' feed-forward networks in torch: where there is no native kernel, and to check forms."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from remoe_functions.checkpoint.block_values import values_of
from remoe_functions.checkpoint.blocks import BlockTensor
from remoe_functions.checkpoint.blocks import Matrix as StoredMatrix
from remoe_functions.checkpoint.checkpoint import Checkpoint
from remoe_functions.checkpoint.ffn import Activation, ExpertWeights, FfnForm
from remoe_functions.checkpoint.tensors import MappedTensor
from remoe_functions.main.spread import Pairs
from remoe_functions.main.tensors import from_mapped
from remoe_planner.experts import ExpertId

Matrix = Callable[[torch.Tensor, torch.Tensor, torch.Tensor | None], torch.Tensor]


def _gelu_tanh(rows: torch.Tensor) -> torch.Tensor:
    return functional.gelu(rows, approximate="tanh")


def _relu2(rows: torch.Tensor) -> torch.Tensor:
    return functional.relu(rows).square()


_ACTIVATIONS: dict[Activation, Callable[[torch.Tensor], torch.Tensor]] = {
    Activation.SILU: functional.silu,
    Activation.GELU: functional.gelu,
    Activation.GELU_TANH: _gelu_tanh,
    Activation.RELU: functional.relu,
    Activation.RELU2: _relu2,
}


def _transposed_linear(
    rows: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None
) -> torch.Tensor:
    return rows @ weight if bias is None else torch.addmm(bias, rows, weight)


@dataclass(frozen=True, slots=True, kw_only=True)
class TorchExpert:
    """An expert's weights as tensors, and its arithmetic."""

    form: FfnForm
    up: tuple[torch.Tensor, ...]
    down: torch.Tensor
    up_bias: torch.Tensor | None
    down_bias: torch.Tensor | None
    matrix: Matrix

    @classmethod
    def of(cls, weights: ExpertWeights, dtype: torch.dtype) -> TorchExpert:
        """The expert on the mapped bytes; copied where `dtype` is another, or it lies in blocks."""

        def tensor(mapped: MappedTensor | None) -> torch.Tensor | None:
            return None if mapped is None else from_mapped(mapped).to(dtype)

        return cls(
            form=weights.form,
            up=tuple(_numbers(matrix).to(dtype) for matrix in weights.up),
            down=_numbers(weights.down).to(dtype),
            up_bias=tensor(weights.up_bias),
            down_bias=tensor(weights.down_bias),
            matrix=_transposed_linear if weights.form.transposed else functional.linear,
        )

    def __call__(self, rows: torch.Tensor) -> torch.Tensor:
        """[n, hidden] -> [n, hidden]."""
        return self.matrix(self._middle(rows), self.down, self.down_bias)

    def _middle(self, rows: torch.Tensor) -> torch.Tensor:
        first = self.matrix(rows, self.up[0], self.up_bias)
        if not self.form.gated:
            return middle(self.form, first, None)
        if not self.form.fused:
            return middle(self.form, first, self.matrix(rows, self.up[1], None))
        if self.form.interleaved:
            return middle(self.form, first[..., ::2], first[..., 1::2])
        return middle(self.form, *first.chunk(2, dim=-1))


def _numbers(matrix: StoredMatrix) -> torch.Tensor:
    if isinstance(matrix, BlockTensor):
        return torch.from_numpy(values_of(matrix))
    return from_mapped(matrix)


class TorchExperts:
    """Every expert of a model, made on the mapped bytes when it is first computed."""

    name = "torch"

    def __init__(self, checkpoint: Checkpoint, dtype: torch.dtype) -> None:
        self._checkpoint = checkpoint
        self._dtype = dtype
        self._made: dict[ExpertId, TorchExpert] = {}

    def weighted_sum(self, layer: int, rows: torch.Tensor, pairs: Pairs) -> NDArray[np.float64]:
        """Each row's sum of weight times expert over its pairs, [n, hidden]."""
        total = torch.zeros(rows.shape, dtype=torch.float64)
        for index in np.unique(pairs.experts):
            some = pairs.pick(pairs.experts == index)
            chosen = torch.from_numpy(some.rows.astype(np.int64))
            expert = self._expert(ExpertId(layer, int(index)))
            out = expert(rows.index_select(0, chosen)).float()
            shares = out.mul_(torch.from_numpy(some.weights)[:, None])
            total.index_add_(0, chosen, shares.double())
        return total.numpy()

    def native_experts(self, layer: int) -> None:  # noqa: ARG002
        """None: these are not native code's."""
        return

    def forget(self, experts: Iterable[ExpertId]) -> None:
        """Let go of what was made for experts."""
        for expert in experts:
            self._made.pop(expert, None)

    def _expert(self, expert: ExpertId) -> TorchExpert:
        if expert not in self._made:
            self._made[expert] = TorchExpert.of(self._checkpoint.expert(expert), self._dtype)
        return self._made[expert]


def middle(form: FfnForm, gate: torch.Tensor, up: torch.Tensor | None) -> torch.Tensor:
    """What lies between an expert's projections: activation and gate, or activation alone.

    Args:
        form: the experts' form.
        gate: [n, intermediate], the first projection's output.
        up: the second's, where the form is gated.
    """
    if form.activation is not Activation.CLAMPED_SWIGLU:
        activated = _ACTIVATIONS[form.activation](gate)
        return activated if up is None else activated * up
    if up is None:
        raise ValueError("clamped_swiglu needs a gate")
    if form.limit is not None:
        gate = gate.clamp(max=form.limit)
        up = up.clamp(min=-form.limit, max=form.limit)
    return (up + 1) * (gate * torch.sigmoid(gate * form.alpha))
