"""Random attention layers: their arrays, native code's view of them, and float64's answer."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from remoe_functions.kernel.attention import (
    Attention,
    Matrices,
    NewTokens,
    Outcome,
    Routing,
    Slots,
)
from remoe_functions.kernel.layout import Format
from remoe_functions.kernel.machine import available
from remoe_functions.kernel.norm import NO_NORM, Norm


def halves(values):
    """Float32 numbers rounded to bfloat16, as their bits."""
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)


def numbers(array):
    """What an array of either format says, in float64."""
    if array.dtype == np.uint16:
        return (array.astype(np.uint32) << 16).view(np.float32).astype(np.float64)
    return array.astype(np.float64)


@dataclass
class Shape:
    """What a layer is like."""

    hidden: int = 24
    heads: int = 4
    key_heads: int = 2
    size: int = 12
    room: int = 40
    experts: int = 6
    top_k: int = 2
    halved: bool = False
    biased: bool = True
    norms: str = "each"  # of queries and keys: "none", "each" head's, the "whole" row's
    window: int | None = None
    clip: float = float("inf")
    sums_to_one: bool = True
    routed: bool = True


@dataclass
class Layer:
    """A layer's arrays, made from a seed."""

    shape: Shape
    seed: int = 0
    arrays: dict = field(default_factory=dict)

    def __post_init__(self):
        shape, draw = self.shape, np.random.default_rng(self.seed)
        queries, keys = shape.heads * shape.size, shape.key_heads * shape.size

        def matrix(outputs, inputs):
            drawn = draw.normal(0, 1.5 / inputs**0.5, (outputs, inputs)).astype(np.float32)
            return halves(drawn) if shape.halved else drawn

        def vector(width, middle):
            return draw.normal(middle, 0.2, width).astype(np.float32)

        its = self.arrays
        its["query"], its["key"] = matrix(queries, shape.hidden), matrix(keys, shape.hidden)
        its["value"], its["output"] = matrix(keys, shape.hidden), matrix(shape.hidden, queries)
        its["router"] = matrix(shape.experts, shape.hidden)
        for name in ("query", "key", "value", "output"):
            its[f"{name}_bias"] = vector(len(its[name]), 0.0)
        its["norm"], its["next_norm"] = vector(shape.hidden, 1.0), vector(shape.hidden, 1.0)
        whole = shape.norms == "whole"
        its["query_norm"] = vector(queries if whole else shape.size, 1.0)
        its["key_norm"] = vector(keys if whole else shape.size, 1.0)

    def native(self, *, threads=1, instructions=None):
        """The layer as native code takes it."""
        shape = self.shape

        def at(name):
            return self.arrays[name].ctypes.data

        def norm(name):
            return Norm(weight=at(name), epsilon=1e-5)

        own = shape.norms != "none"
        names = ("query", "key", "value", "output")
        biases = tuple(at(f"{name}_bias") if shape.biased else 0 for name in names)
        return Attention(
            matrices=Matrices(
                **{name: at(name) for name in names},
                router=at("router") if shape.routed else 0,
                biases=biases,
            ),
            norm=norm("norm"),
            next_norm=norm("next_norm"),
            query_norm=norm("query_norm") if own else NO_NORM,
            key_norm=norm("key_norm") if own else NO_NORM,
            norms_whole=shape.norms == "whole",
            hidden=shape.hidden,
            heads=shape.heads,
            key_heads=shape.key_heads,
            size=shape.size,
            format=Format.BF16 if shape.halved else Format.F32,
            scaling=shape.size**-0.5,
            clip=shape.clip,
            window=shape.window,
            routing=Routing(
                experts=shape.experts, top_k=shape.top_k, shares_sum_to_one=shape.sums_to_one
            )
            if shape.routed
            else None,
            threads=threads,
            instructions=instructions or available()[0],
        )


@dataclass
class Batch:
    """New tokens of some slots, and the slots."""

    rows: np.ndarray
    positions: np.ndarray
    cosines: np.ndarray
    sines: np.ndarray
    keys: np.ndarray
    values: np.ndarray

    @classmethod
    def of(cls, shape, positions, seed=0):
        draw = np.random.default_rng(seed + 1)
        count = len(positions)
        kept = draw.normal(0, 1, (2, count, shape.key_heads, shape.room, shape.size))
        keys, values = (halves(it) if shape.halved else it.astype(np.float32) for it in kept)
        angles = draw.uniform(0, 6, (count, shape.size // 2))
        angles = np.concatenate([angles, angles], axis=1)
        return cls(
            rows=draw.normal(0, 1, (count, shape.hidden)).astype(np.float32),
            positions=np.array(positions, np.int64),
            cosines=np.cos(angles).astype(np.float32),
            sines=np.sin(angles).astype(np.float32),
            keys=keys,
            values=values,
        )

    def of_row(self, row):
        """The same with one row alone, its slot the first."""
        parts = {name: part[row : row + 1].copy() for name, part in vars(self).items()}
        return Batch(**parts)

    def copy(self):
        return Batch(**{name: part.copy() for name, part in vars(self).items()})


@dataclass
class Answer:
    """What a call wrote."""

    rows: np.ndarray
    normed: np.ndarray
    chosen: np.ndarray
    shares: np.ndarray
    keys: np.ndarray
    values: np.ndarray

    def row(self, row):
        return [part[row].tobytes() for part in vars(self).values()]


def answer(layer, batch, **options):
    """Run the layer on a copy of the batch."""
    shape, count, batch = layer.shape, len(batch.positions), batch.copy()
    normed = np.zeros((count, shape.hidden), np.uint16 if shape.halved else np.float32)
    chosen = np.zeros((count, shape.top_k), np.uint16)
    shares = np.zeros((count, shape.top_k), np.float32)
    layer.native(**options).step(
        NewTokens(
            count=count,
            positions=batch.positions.ctypes.data,
            cosines=batch.cosines.ctypes.data,
            sines=batch.sines.ctypes.data,
        ),
        Slots(keys=batch.keys.ctypes.data, values=batch.values.ctypes.data, room=shape.room),
        Outcome(
            rows=batch.rows.ctypes.data,
            normed=normed.ctypes.data,
            chosen=chosen.ctypes.data if shape.routed else 0,
            shares=shares.ctypes.data if shape.routed else 0,
        ),
    )
    return Answer(batch.rows, normed, chosen, shares, batch.keys, batch.values)


def expected(layer, batch, row):
    """One row in float64: its new state, what is normed next, its key and value, the odds."""
    shape, its = layer.shape, {name: numbers(part) for name, part in layer.arrays.items()}
    x = _normed(numbers(batch.rows)[row], its["norm"])
    query, key, value = (
        its[name] @ x + (its[f"{name}_bias"] if shape.biased else 0)
        for name in ("query", "key", "value")
    )
    if shape.norms == "whole":
        query, key = _normed(query, its["query_norm"]), _normed(key, its["key_norm"])
    query, key, value = (
        np.clip(part, -shape.clip, shape.clip).reshape(-1, shape.size)
        for part in (query, key, value)
    )
    if shape.norms == "each":
        query, key = _normed(query, its["query_norm"]), _normed(key, its["key_norm"])
    query, key = (_turned(part, batch.cosines[row], batch.sines[row]) for part in (query, key))
    mixed = _attended(shape, batch, row, query, key, value)
    state = numbers(batch.rows)[row] + its["output"] @ mixed
    state += its["output_bias"] if shape.biased else 0
    following = _normed(state, its["next_norm"])
    odds = np.exp(its["router"] @ following)
    return state, following, key, value, odds / odds.sum()


def _attended(shape, batch, row, query, key, value):
    position = int(batch.positions[row])
    first = 0 if shape.window is None else max(0, position + 1 - shape.window)
    parts = []
    for head, one in enumerate(query):
        shared = head // (shape.heads // shape.key_heads)
        keys, values = numbers(batch.keys[row, shared]), numbers(batch.values[row, shared])
        keys[position], values[position] = key[shared], value[shared]
        scores = keys[first : position + 1] @ one * shape.size**-0.5
        weights = np.exp(scores - scores.max())
        parts.append(weights / weights.sum() @ values[first : position + 1])
    return np.concatenate(parts)


def _normed(x, weight):
    return x / np.sqrt((x**2).mean(axis=-1, keepdims=True) + 1e-5) * weight


def _turned(heads, cosines, sines):
    half = heads.shape[1] // 2
    turned = np.concatenate([-heads[:, half:], heads[:, :half]], axis=1)
    return heads * cosines + turned * sines
