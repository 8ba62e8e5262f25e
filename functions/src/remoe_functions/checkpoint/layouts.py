"""The ways checkpoints lay out an expert's tensors: names, and how the matrices lie in them.

A layout names one tensor per expert (its templates hold `{expert}`) or one per layer with the
experts stacked along the first axis. Which model uses which layout is told in `families`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import cached_property

from remoe_functions.checkpoint.blocks import BLOCK, BlockFormat
from remoe_functions.checkpoint.ffn import FfnForm

BLOCKS_SUFFIX, SCALES_SUFFIX = "_blocks", "_scales"


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Where a model keeps its experts.

    Attributes:
        up: name templates of the matrices before the activation, with `{layer}` and, where
            experts are not stacked, `{expert}`; in the order of `ExpertWeights.up`.
        down: name template of the matrix after it.
        up_bias: name template of the bias of `up`, if any.
        down_bias: name template of the bias of `down`, if any.
        gated: whether there is a gate; fused with `up` where `up` has one template.
        interleaved: gate and up alternate in the fused matrix.
        transposed: matrices are [in, out].
        blocks: how the matrices are written where they lie in blocks: two tensors for each, the
            template's name with `_blocks` and `_scales`, [out, in] whatever `transposed` says of
            the model.
    """

    up: tuple[str, ...]
    down: str
    up_bias: str | None = None
    down_bias: str | None = None
    gated: bool = True
    interleaved: bool = False
    transposed: bool = False
    blocks: BlockFormat | None = None

    @property
    def stacked(self) -> bool:
        """Whether one tensor holds all experts of a layer."""
        return "{expert}" not in self.down

    @property
    def fused(self) -> bool:
        """Whether gate and up lie in one matrix."""
        return self.gated and len(self.up) == 1

    @property
    def templates(self) -> tuple[str, ...]:
        """Every tensor's template, in the order of `ExpertWeights.tensors`."""
        matrices: tuple[str, ...] = (*self.up, self.down)
        if self.blocks is not None:
            suffixes = (BLOCKS_SUFFIX, SCALES_SUFFIX)
            matrices = tuple(name + suffix for name in matrices for suffix in suffixes)
        biases = (self.up_bias, self.down_bias)
        return (*matrices, *(bias for bias in biases if bias is not None))

    def is_code(self, template: str) -> bool:
        """Whether a template's tensor holds codes or scales rather than numbers."""
        return self.blocks is not None and template.endswith((BLOCKS_SUFFIX, SCALES_SUFFIX))

    def name(self, template: str, layer: int, expert: int) -> str:
        """The tensor's name; stacked layouts ignore the expert."""
        return template.format(layer=layer, expert=expert)

    def place_of(self, name: str) -> tuple[int, int | None] | None:
        """(layer, expert) of an expert's tensor, the expert None where stacked; else None."""
        match = self._pattern.fullmatch(name)
        if match is None:
            return None
        groups = [int(group) for group in match.groups() if group is not None]
        return groups[0], None if self.stacked else groups[1]

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        number = r"(0|[1-9]\d{0,5})"
        return re.compile(
            "|".join(
                re.escape(template).replace(r"\{layer\}", number).replace(r"\{expert\}", number)
                for template in self.templates
            )
        )

    def shapes(self, form: FfnForm, hidden: int, intermediate: int) -> dict[str, tuple[int, ...]]:
        """The shape each template's tensor has for one expert, [out, in] or transposed."""
        rows = 2 * intermediate if form.fused else intermediate
        shapes = dict.fromkeys(self.up, (rows, hidden)) | {self.down: (hidden, intermediate)}
        if self.blocks is not None:
            return self._block_shapes(shapes, rows, hidden)
        if self.transposed:
            shapes = {name: (shape[1], shape[0]) for name, shape in shapes.items()}
        return {**shapes, **self._bias_shapes(rows, hidden)}

    def _block_shapes(
        self, matrices: dict[str, tuple[int, int]], rows: int, hidden: int
    ) -> dict[str, tuple[int, ...]]:
        """As `shapes`: codes are [out, blocks, bytes of a block], scales [out, blocks]."""
        shapes: dict[str, tuple[int, ...]] = {}
        for name, (out_size, in_size) in matrices.items():
            count = in_size // BLOCK
            shapes[name + BLOCKS_SUFFIX] = (out_size, count, BLOCK // 2)
            shapes[name + SCALES_SUFFIX] = (out_size, count)
        return {**shapes, **self._bias_shapes(rows, hidden)}

    def _bias_shapes(self, rows: int, hidden: int) -> dict[str, tuple[int, ...]]:
        sized: dict[str, tuple[int, ...]] = {}
        if self.up_bias is not None:
            sized[self.up_bias] = (rows,)
        if self.down_bias is not None:
            sized[self.down_bias] = (hidden,)
        return sized


def per_expert(block: str, gate: str, up: str, down: str) -> Layout:
    """One tensor per expert and matrix, the gate apart from up."""
    stem = f"model.layers.{{layer}}.{block}.experts.{{expert}}."
    names = tuple(f"{stem}{matrix}.weight" for matrix in (gate, up))
    return Layout(up=names, down=f"{stem}{down}.weight")


def plain_per_expert(stem: str) -> Layout:
    """One tensor per expert and matrix, without a gate."""
    start = f"{stem}.{{layer}}.mixer.experts.{{expert}}."
    return Layout(up=(f"{start}up_proj.weight",), down=f"{start}down_proj.weight", gated=False)


def stacked(block: str, *, up: str = "gate_up_proj", gated: bool = True) -> Layout:
    """The form transformers 5 holds in memory: experts stacked, gate above up."""
    stem = f"model.layers.{{layer}}.{block}.experts."
    return Layout(up=(f"{stem}{up}",), down=f"{stem}down_proj", gated=gated)


GRANITE = Layout(
    up=("model.layers.{layer}.block_sparse_moe.input_linear.weight",),
    down="model.layers.{layer}.block_sparse_moe.output_linear.weight",
)

GPT_OSS = Layout(
    up=("model.layers.{layer}.mlp.experts.gate_up_proj",),
    down="model.layers.{layer}.mlp.experts.down_proj",
    up_bias="model.layers.{layer}.mlp.experts.gate_up_proj_bias",
    down_bias="model.layers.{layer}.mlp.experts.down_proj_bias",
    interleaved=True,
    transposed=True,
)

GPT_OSS_MXFP4 = replace(GPT_OSS, blocks=BlockFormat.MXFP4)
