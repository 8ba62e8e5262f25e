"""Attention of a layer for one new token a slot, from the norm before it to the norm after it.

Where a layer's experts are chosen by a softmax over a product, the call chooses them, too. By
addresses, since its caller's arrays are of a library that is not imported here. What a row gets
depends on that row and its slot alone, to the bit.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass, field

from remoe_functions.kernel.layout import ATTENTION, MATRIX, STEP, Format
from remoe_functions.kernel.library import library
from remoe_functions.kernel.linear import MOST_THREADS, STEP_FORMATS
from remoe_functions.kernel.machine import InstructionSet
from remoe_functions.kernel.norm import NO_NORM, Norm

MOST_HEAD = 512
MOST_GROUP = 256
_BYTES = {Format.BF16: 2, Format.F32: 4}


@dataclass(frozen=True, slots=True, kw_only=True)
class Matrices:
    """Addresses of a layer's dense matrices, [out, in]; whoever makes it keeps them alive.

    Attributes:
        query: [heads * size, hidden].
        key: [key heads * size, hidden].
        value: [key heads * size, hidden].
        output: [hidden, heads * size].
        router: [experts, hidden]; 0 where routing is the caller's.
        biases: of the first four, float32; 0 for none.
    """

    query: int
    key: int
    value: int
    output: int
    router: int = 0
    biases: tuple[int, int, int, int] = (0, 0, 0, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Routing:
    """How a row's experts follow from the router's numbers: by softmax, the likeliest."""

    experts: int
    top_k: int
    shares_sum_to_one: bool

    def __post_init__(self) -> None:
        if not 1 <= self.top_k <= self.experts:
            raise ValueError(f"top_k must be 1 to {self.experts}, got {self.top_k}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Slots:
    """A layer's cache: addresses of [slots, key heads, room, size], keys and values."""

    keys: int
    values: int
    room: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTokens:
    """What all layers of a step share: one new token for each of the first slots.

    Attributes:
        count: how many.
        positions: address of int64 [count], tokens that each slot holds already.
        cosines: address of float32 [count, size].
        sines: address of float32 [count, size].
    """

    count: int
    positions: int
    cosines: int
    sines: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Where a call writes.

    Attributes:
        rows: address of float32 [count, hidden]; what attention says is added.
        normed: address of [count, hidden] in the layer's format: the rows after the next norm.
        chosen: address of uint16 [count, top_k]; 0 where there is no router.
        shares: address of float32 [count, top_k]; 0 where there is no router.
    """

    rows: int
    normed: int
    chosen: int = 0
    shares: int = 0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Attention:
    """A layer's attention, checked and ready to be computed.

    Attributes:
        matrices: where the weights are.
        norm: before attention.
        next_norm: after it.
        query_norm: of queries, and `key_norm` of keys.
        norms_whole: these are over all heads of a row together, not over each.
        hidden: width of a row.
        heads: of queries; a multiple of `key_heads`.
        key_heads: of keys and values.
        size: of a head, even; halves of it turn together.
        format: of matrices, cache and normed rows: BF16 or F32.
        scaling: of the scores.
        clip: bound of queries, keys and values; infinity for none.
        window: how many latest tokens are attended to, the row's own among them; None for all.
        routing: of the experts; None where it is the caller's.
        threads: 1 to 256, the caller's among them.
        instructions: the code path.
    """

    matrices: Matrices
    norm: Norm
    next_norm: Norm
    query_norm: Norm = NO_NORM
    key_norm: Norm = NO_NORM
    norms_whole: bool = False
    hidden: int
    heads: int
    key_heads: int
    size: int
    format: Format
    scaling: float
    clip: float = float("inf")
    window: int | None = None
    routing: Routing | None = None
    threads: int
    instructions: InstructionSet
    _packed: ctypes.Array[ctypes.c_char] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._check()
        packed = self._pack()
        object.__setattr__(self, "_packed", ctypes.create_string_buffer(packed, len(packed)))

    @property
    def address(self) -> int:
        """Where native code finds it; good as long as this lives."""
        return ctypes.addressof(self._packed)

    def step(self, tokens: NewTokens, slots: Slots, out: Outcome) -> None:
        """Compute the layer's attention for new tokens.

        Raises:
            ValueError: no tokens, or a position without room in its slot.
            MemoryError: no memory for what lies between the products.
        """
        if tokens.count < 1:
            raise ValueError(f"count must be >= 1, got {tokens.count}")
        call = packed_step(self, tokens, slots, out)
        check_step(library().remoe_attend(call), slots.room)

    def _check(self) -> None:
        if min(self.hidden, self.heads, self.key_heads) < 1 or self.heads % self.key_heads:
            raise ValueError(
                f"heads must be shared by key heads, got {self.heads}/{self.key_heads}"
            )
        if self.heads // self.key_heads > MOST_GROUP:
            raise ValueError(f"heads of a key head must be <= {MOST_GROUP}, got {self.heads}")
        if not 2 <= self.size <= MOST_HEAD or self.size % 2:
            raise ValueError(f"size must be even, 2 to {MOST_HEAD}, got {self.size}")
        if self.format not in STEP_FORMATS:
            raise ValueError(f"format must be BF16 or F32, got {self.format.name}")
        if self.window is not None and self.window < 1:
            raise ValueError(f"window must be >= 1, got {self.window}")
        if not 1 <= self.threads <= MOST_THREADS:
            raise ValueError(f"threads must be 1 to {MOST_THREADS}, got {self.threads}")
        if (self.routing is None) != (self.matrices.router == 0):
            raise ValueError("routing must come with a router, and a router with routing")

    def _pack(self) -> bytes:
        its = self.matrices
        mixed = self.heads * self.size
        widths = (self.hidden, self.hidden, self.hidden, mixed, self.hidden)
        places = (its.query, its.key, its.value, its.output, its.router)
        matrices = b"".join(
            MATRIX.pack(place, 0, _BYTES[self.format] * width, 0, self.format, 0)
            for place, width in zip(places, widths, strict=True)
        )
        norms = (self.norm, self.query_norm, self.key_norm, self.next_norm)
        routing = self.routing
        return ATTENTION.pack(
            matrices,
            *its.biases,
            b"".join(norm.packed for norm in norms),
            self.hidden,
            self.heads,
            self.key_heads,
            self.size,
            self.norms_whole,
            self.format,
            self.window or 0,
            routing.experts if routing else 0,
            routing.top_k if routing else 0,
            bool(routing and routing.shares_sum_to_one),
            self.scaling,
            self.clip,
        )


def packed_step(layer: Attention, tokens: NewTokens, slots: Slots, out: Outcome) -> bytes:
    """A call as native code reads it."""
    return STEP.pack(
        layer.address,
        out.rows,
        out.normed,
        slots.keys,
        slots.values,
        tokens.positions,
        tokens.cosines,
        tokens.sines,
        out.chosen,
        out.shares,
        slots.room,
        tokens.count,
        layer.threads,
        layer.instructions.number,
    )


def check_step(error: int, room: int) -> None:
    """Raise what native code found wrong."""
    if error == 1:
        raise ValueError(f"positions must be 0 to {room - 1}, the slots' room")
    if error:
        raise MemoryError("no memory for a layer of a step")
