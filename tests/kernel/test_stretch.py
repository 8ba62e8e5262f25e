"""Layers in one native call give the bits of the same layers called one by one."""

from __future__ import annotations

from dataclasses import replace

import ml_dtypes
import numpy as np
import pytest
from builders.attention_layers import Batch, Layer, Shape, answer
from builders.expert_weights import expert, form
from builders.native_layers import rows_of

from remoe_functions.checkpoint.tensors import Dtype
from remoe_functions.kernel.attention import NewTokens, Slots
from remoe_functions.kernel.machine import native_available
from remoe_functions.kernel.moe_layer import Precision, forward
from remoe_functions.kernel.native_expert import ExpertTable, NativeExpert
from remoe_functions.kernel.stretch import Block, Stretch

pytestmark = pytest.mark.skipif(not native_available().available, reason="no native kernel here")
SHAPE = Shape(experts=3)


def experts(halved=False, count=3, hidden=24):
    dtype = Dtype.BFLOAT16 if halved else Dtype.FLOAT32
    made = (expert(form(), hidden=hidden, seed=seed, dtype=dtype) for seed in range(count))
    return ExpertTable([NativeExpert.of(weights) for weights in made])


def new_tokens(batch):
    return NewTokens(
        count=len(batch.positions),
        positions=batch.positions.ctypes.data,
        cosines=batch.cosines.ctypes.data,
        sines=batch.sines.ctypes.data,
    )


def slots_of(batch, shape):
    return Slots(keys=batch.keys.ctypes.data, values=batch.values.ctypes.data, room=shape.room)


def rounded(total, halved):
    """A layer's answer in the type of the model's numbers."""
    narrow = total.astype(np.float32)
    return narrow.astype(ml_dtypes.bfloat16).astype(np.float32) if halved else narrow


def one_by_one(layers, tables, batch, halved):
    """Rows and choices of layers, each with a cache like the batch's."""
    chosen, batch = [], batch.copy()
    for layer, table in zip(layers, tables, strict=True):
        got = answer(layer, batch)
        pairs = np.repeat(np.arange(len(got.chosen), dtype=np.uint32), layer.shape.top_k)
        precision = Precision.FAST if halved else Precision.EXACT
        which, shares = got.chosen.reshape(-1), got.shares.reshape(-1)
        total = forward(table, got.normed, pairs, which, shares, precision=precision)
        batch.rows = got.rows + rounded(total, halved)
        chosen.append(got.chosen)
    return batch.rows, np.stack(chosen)


@pytest.mark.parametrize("halved", [False, True])
@pytest.mark.parametrize("threads", [1, 3])
def test_the_answer_is_that_of_the_layers_one_by_one(halved, threads):
    shape = replace(SHAPE, halved=halved)
    layers = [Layer(shape, seed) for seed in range(4)]
    tables = [experts(halved) for _ in layers]
    batch = Batch.of(shape, [0, 5, 39])
    wanted, wanted_choice = one_by_one(layers, tables, batch, halved)
    caches, rows = [batch.copy() for _ in layers], batch.rows.copy()
    blocks = [
        Block(attention=layer.native(threads=threads), experts=table)
        for layer, table in zip(layers, tables, strict=True)
    ]
    slots = [slots_of(cache, shape) for cache in caches]
    chosen, seconds = Stretch(blocks).run(rows.ctypes.data, new_tokens(batch), slots)
    assert rows.tobytes() == wanted.tobytes()
    assert np.array_equal(chosen, wanted_choice)
    assert seconds > 0


def test_layers_of_several_shapes_are_refused():
    blocks = [
        Block(attention=Layer(replace(SHAPE, size=size)).native(), experts=experts())
        for size in (12, 14)
    ]
    with pytest.raises(ValueError, match="blocks must be of one shape"):
        Stretch(blocks)


def test_no_layers_are_refused():
    with pytest.raises(ValueError, match="blocks must not be empty"):
        Stretch([])


@pytest.mark.parametrize(
    ("shape", "table"),
    [(SHAPE, {"count": 2}), (SHAPE, {"hidden": 25}), (replace(SHAPE, routed=False), {})],
)
def test_experts_that_are_not_the_routers_are_refused(shape, table):
    with pytest.raises(ValueError, match="experts must be"):
        Block(attention=Layer(shape).native(), experts=experts(**table))


def test_a_position_without_room_is_refused():
    batch = Batch.of(SHAPE, [40])
    rows = rows_of(1, SHAPE.hidden)
    stretch = Stretch([Block(attention=Layer(SHAPE).native(), experts=experts())])
    with pytest.raises(ValueError, match="positions must be 0 to 39"):
        stretch.run(rows.ctypes.data, new_tokens(batch), [slots_of(batch, SHAPE)])
