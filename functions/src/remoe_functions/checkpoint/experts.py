"""Which experts a checkpoint holds and in which tensors, checked against its config."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from remoe_functions.checkpoint.blocks import BLOCK, BlockTensor, Matrix
from remoe_functions.checkpoint.config import (
    EXPERT_COUNT_FIELDS,
    TOP_K_FIELDS,
    expected_layers,
    layer_count,
    optional_positive,
    positive,
)
from remoe_functions.checkpoint.errors import CheckpointError, UnsupportedModelError
from remoe_functions.checkpoint.families import Family
from remoe_functions.checkpoint.ffn import ExpertWeights, FfnForm
from remoe_functions.checkpoint.layouts import BLOCKS_SUFFIX, SCALES_SUFFIX, Layout
from remoe_functions.checkpoint.shards import Shards
from remoe_functions.checkpoint.tensors import Dtype, MappedTensor
from remoe_planner.experts import ExpertId

WEIGHT_DTYPES = (Dtype.FLOAT32, Dtype.BFLOAT16, Dtype.FLOAT16)
_QUANTIZED = re.compile(r"\.experts\..*(_blocks|_scales|_scale_inv|weight_scale|qweight)$")
_DECODER_LAYER = re.compile(r"(?:model|backbone)\.layers\.(\d+)\.")


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpertTable:
    """The routed experts of one checkpoint.

    Attributes:
        layout: how their tensors are named and lie.
        form: what they compute.
        layers: decoder layers that have them, ascending.
        depth: all decoder layers of the model; tensors beyond belong to no request.
        experts_per_layer: experts in each of `layers`.
        top_k: experts each token visits.
        hidden_size: width of a token row.
        intermediate_size: width between an expert's projections.
    """

    layout: Layout
    form: FfnForm
    layers: tuple[int, ...]
    depth: int
    experts_per_layer: int
    top_k: int
    hidden_size: int
    intermediate_size: int

    @classmethod
    def find(
        cls,
        config: Mapping[str, Any],
        family: Family,
        shards: Shards,
        experts: Iterable[ExpertId] | None = None,
    ) -> ExpertTable:
        """Find a checkpoint's experts and check every tensor of theirs, or of some of them.

        Raises:
            UnsupportedModelError: dense, quantized, or in a layout that is not served.
            CheckpointError: a tensor is absent, or its shape is not what the config says.
        """
        depth = layer_count(config)
        layout, found = _find_layout(family.layouts_for(config), shards, depth)
        table = cls(
            layout=layout,
            form=family.form(config, layout),
            layers=_checked_layers(config, family, found),
            depth=depth,
            experts_per_layer=_expert_count(config, layout, found, shards),
            top_k=positive(config, *TOP_K_FIELDS),
            hidden_size=positive(config, "hidden_size"),
            intermediate_size=positive(config, family.intermediate_field),
        )
        table._check(shards, experts)
        return table

    def _check(self, shards: Shards, experts: Iterable[ExpertId] | None) -> None:
        if self.top_k > self.experts_per_layer:
            raise CheckpointError(
                f"config.json: {self.top_k} experts per token, {self.experts_per_layer} in a layer"
            )
        self._check_blocks()
        shapes = self.layout.shapes(self.form, self.hidden_size, self.intermediate_size)
        stack = (self.experts_per_layer,) if self.layout.stacked else ()
        wanted = {template: (*stack, *shape) for template, shape in shapes.items()}
        for expert in self._checked(experts):
            for template, shape in wanted.items():
                name = self.layout.name(template, expert.layer, expert.index)
                _check_tensor(shards, name, shape, self._dtypes(template))

    def _check_blocks(self) -> None:
        sizes = {"hidden_size": self.hidden_size, "intermediate_size": self.intermediate_size}
        for name, size in sizes.items():
            if self.layout.blocks is not None and size % BLOCK:
                raise UnsupportedModelError(
                    f"config.json: {name} must be a multiple of {BLOCK} where weights are "
                    f"{self.layout.blocks}, got {size}"
                )

    def _dtypes(self, template: str) -> tuple[Dtype, ...]:
        blocks = self.layout.blocks
        if blocks is None or not self.layout.is_code(template):
            return WEIGHT_DTYPES
        return blocks.scale_dtypes if template.endswith(SCALES_SUFFIX) else (blocks.code_dtype,)

    def _checked(self, experts: Iterable[ExpertId] | None) -> Iterator[ExpertId]:
        """The experts to check, known ones only; where stacked one stands for its layer."""
        if experts is not None:
            return (expert for expert in experts if self._has(expert))
        count = 1 if self.layout.stacked else self.experts_per_layer
        return (ExpertId(layer, index) for layer in self.layers for index in range(count))

    def is_expert_tensor(self, name: str) -> bool:
        """Whether a tensor is a routed expert's."""
        return self.layout.place_of(name) is not None

    def is_main(self, name: str) -> bool:
        """Whether a tensor is the main model's: no expert's, and in a layer the model runs."""
        match = _DECODER_LAYER.match(name)
        beyond = match is not None and int(match[1]) >= self.depth
        return not beyond and not self.is_expert_tensor(name)

    def pieces(self, expert: ExpertId) -> Iterator[tuple[str, int | None]]:
        """(tensor name, entry of its first axis or None for all of it) that make an expert.

        Raises:
            CheckpointError: the model has no such expert.
        """
        self.check_known(expert)
        part = expert.index if self.layout.stacked else None
        for template in self.layout.templates:
            yield self.layout.name(template, expert.layer, expert.index), part

    def weights(self, expert: ExpertId, shards: Shards) -> ExpertWeights:
        """An expert's tensors.

        Raises:
            CheckpointError: the model has no such expert.
        """
        self.check_known(expert)
        tensors = {
            template: self._tensor(template, expert, shards) for template in self.layout.templates
        }
        return ExpertWeights(
            form=self.form if self.layout.blocks is None else replace(self.form, transposed=False),
            up=tuple(self._matrix(template, tensors) for template in self.layout.up),
            down=self._matrix(self.layout.down, tensors),
            up_bias=tensors.get(self.layout.up_bias or ""),
            down_bias=tensors.get(self.layout.down_bias or ""),
        )

    def _matrix(self, template: str, tensors: Mapping[str, MappedTensor]) -> Matrix:
        blocks = self.layout.blocks
        if blocks is None:
            return tensors[template]
        codes = tensors[template + BLOCKS_SUFFIX].array
        return BlockTensor(
            format=blocks,
            codes=codes.reshape(len(codes), -1),
            scales=tensors[template + SCALES_SUFFIX].array,
            out_size=codes.shape[0],
            in_size=codes.shape[1] * BLOCK,
        )

    def _tensor(self, template: str, expert: ExpertId, shards: Shards) -> MappedTensor:
        tensor = shards.tensor(self.layout.name(template, expert.layer, expert.index))
        return tensor.part(expert.index) if self.layout.stacked else tensor

    def _has(self, expert: ExpertId) -> bool:
        return expert.layer in self.layers and expert.index < self.experts_per_layer

    def check_known(self, expert: ExpertId) -> None:
        """See that the model has such an expert.

        Raises:
            CheckpointError: it has not.
        """
        if not self._has(expert):
            raise CheckpointError(
                f"the model has no expert {expert}: experts 0 to {self.experts_per_layer - 1} "
                f"are in layers {', '.join(map(str, self.layers))}"
            )


Found = Mapping[int, set[int | None]]


def _find_layout(layouts: tuple[Layout, ...], shards: Shards, depth: int) -> tuple[Layout, Found]:
    names = shards.names
    for layout in layouts:
        found: dict[int, set[int | None]] = defaultdict(set)
        for place in filter(None, map(layout.place_of, names)):
            if place[0] < depth:
                found[place[0]].add(place[1])
        odd = (name for name in names if _QUANTIZED.search(name) and not layout.place_of(name))
        if quantized := next(odd, None):
            raise UnsupportedModelError(f"the experts are quantized ({quantized}); not served")
        if found:
            return layout, found
    raise UnsupportedModelError(
        f"no routed experts found: tensors like {layouts[0].down} are absent"
    )


def _checked_layers(config: Mapping[str, Any], family: Family, found: Found) -> tuple[int, ...]:
    layers = tuple(sorted(found))
    every = tuple(range(layer_count(config)))
    expected = every if family.every_layer else expected_layers(config)
    if layers != expected:
        raise CheckpointError(
            f"config.json says that layers {list(expected)} have experts, "
            f"the checkpoint has them in {list(layers)}"
        )
    return layers


def _expert_count(config: Mapping[str, Any], layout: Layout, found: Found, shards: Shards) -> int:
    first = min(found)
    count = len(found[first])
    if layout.stacked:
        count = shards.place(layout.name(layout.templates[-1], first, 0)).shape[0]
    said = optional_positive(config, *EXPERT_COUNT_FIELDS)
    if odd := [layer for layer in found if len(found[layer]) != len(found[first])]:
        raise CheckpointError(f"layers {first} and {odd[0]} have not the same number of experts")
    if said is not None and said != count:
        raise CheckpointError(
            f"config.json says {said} experts per layer, layer {first} has {count}"
        )
    return count


def _check_tensor(
    shards: Shards, name: str, shape: tuple[int, ...], dtypes: tuple[Dtype, ...]
) -> None:
    place = shards.place(name)
    if place.shape != shape:
        raise CheckpointError(
            f"tensor {name} has shape {list(place.shape)}, the config makes it {list(shape)}"
        )
    if place.dtype not in dtypes:
        raise UnsupportedModelError(
            f"tensor {name} is {place.dtype}; served are {', '.join(dtypes)}"
        )
