"""Small layers for the native kernel: pairs, rows, and experts at unusual addresses."""

from __future__ import annotations

import dataclasses

import numpy as np

from remoe_functions.checkpoint.tensors import MappedTensor
from remoe_functions.kernel.moe_layer import forward
from remoe_functions.kernel.native_expert import NativeExpert


def rows_of(count, hidden, seed=1):
    return np.random.default_rng(seed).standard_normal((count, hidden), dtype=np.float32)


def answer(weights, rows, **knobs):
    """What one expert makes of rows, each once and unweighted."""
    count = len(rows)
    tokens, which = np.arange(count, dtype=np.uint32), np.zeros(count, np.uint16)
    ones = np.ones(count, np.float32)
    return forward([NativeExpert.of(weights)], rows, tokens, which, ones, **knobs)


def pairs(random, rows, experts, count):
    """Any pairs at all: rows repeated, experts without one, a row twice with an expert."""
    tokens = random.integers(0, rows, count).astype(np.uint32)
    which = random.integers(0, experts, count).astype(np.uint16)
    return tokens, which, random.standard_normal(count).astype(np.float32)


def displaced(weights, offset):
    """The same expert, its tensors `offset` bytes from where an allocation begins."""

    def moved(tensor):
        room = np.empty(tensor.nbytes + offset, np.uint8)
        room[offset:] = tensor.array.reshape(-1).view(np.uint8)
        array = room[offset:].view(tensor.array.dtype).reshape(tensor.shape)
        return MappedTensor.of(array, tensor.dtype)

    return dataclasses.replace(
        weights,
        up=tuple(map(moved, weights.up)),
        down=moved(weights.down),
        up_bias=weights.up_bias and moved(weights.up_bias),
        down_bias=weights.down_bias and moved(weights.down_bias),
    )
