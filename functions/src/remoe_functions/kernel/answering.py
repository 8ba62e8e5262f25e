"""A layer's experts, answering calls as they came over the wire: one native call each.

Judging the pairs, finding the experts and rounding the sums are native, too, so that nothing here
needs numpy: a function that has just started answers without it.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

from remoe_functions.checkpoint.address import address_of_own
from remoe_functions.kernel.layout import ANSWER, Format
from remoe_functions.kernel.library import library
from remoe_functions.kernel.machine import InstructionSet
from remoe_functions.kernel.native_expert import ExpertTable, NativeExpert

_ABSENT = 0xFFFF
_SUMS = -1
_ITEM_BYTES = {Format.F32: 4, Format.BF16: 2, Format.F16: 2, None: 8}


class Fault(IntEnum):
    """Why a call was not computed, as native code says it."""

    TOKEN_ROW = 1
    """A pair names a row that the call has not."""
    EXPERT = 2
    """A pair names an expert that is not here."""
    NO_MEMORY = 3
    INSTRUCTION_SET = 4
    TWICE = 5
    """A row goes to the same expert twice."""


class FaultyCallError(Exception):
    """A call that cannot be computed.

    Attributes:
        fault: why.
    """

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.name)
        self.fault = fault


@dataclass(slots=True, kw_only=True, eq=False)
class CallInFrame:
    """Where a call's arrays lie in the frame that it came in.

    Attributes:
        frame: the whole frame.
        weights_at: [pairs] float32, bytes from the frame's begin; what each pair counts.
        token_rows_at: [pairs] uint32; the row of each pair.
        rows_at: [n, hidden] in `dtype`.
        experts_at: [pairs] uint16; the expert of each pair, by its number in the model.
        row_count: n.
        pair_count: pairs.
        dtype: what rows are; a plain format.
        answer_dtype: what the answer shall be; a plain format, or None for sums in float64.
    """

    frame: bytearray
    weights_at: int
    token_rows_at: int
    rows_at: int
    experts_at: int
    row_count: int
    pair_count: int
    dtype: Format
    answer_dtype: Format | None


class AnsweringLayer:
    """Experts of one layer, by their numbers in the model."""

    def __init__(
        self, experts: Mapping[int, NativeExpert], instructions: InstructionSet, *, threads: int
    ) -> None:
        """Put experts together.

        Raises:
            ValueError: none, or of several hidden sizes.
        """
        indices = sorted(experts)
        self._table = ExpertTable(experts[index] for index in indices)
        self._places = array("H", [_ABSENT]) * (indices[-1] + 1)
        for place, index in enumerate(indices):
            self._places[index] = place
        self._instructions = instructions.number
        self._threads = threads

    def has(self, expert: int) -> bool:
        """Whether an expert is here."""
        return expert < len(self._places) and self._places[expert] != _ABSENT

    def answer(self, call: CallInFrame) -> bytearray:
        """Each row's sum of `weight * expert(row)` over its pairs; zero where it has none.

        Returns:
            The bytes of [n, hidden] in the call's `answer_dtype`, rounded from the sums.

        Raises:
            FaultyCallError: the pairs make no sense here; says why.
            MemoryError: no memory to compute in.
        """
        hidden = self._table.hidden_size
        out_bytes = call.row_count * hidden * _ITEM_BYTES[call.answer_dtype]
        out = bytearray(out_bytes or 1)
        frame = address_of_own(call.frame)
        packed = ANSWER.pack(
            self._table.address,
            self._places.buffer_info()[0],
            frame + call.rows_at,
            frame + call.token_rows_at,
            frame + call.experts_at,
            frame + call.weights_at,
            address_of_own(out),
            call.row_count,
            call.pair_count,
            len(self._places),
            len(self._table),
            hidden,
            call.dtype,
            _SUMS if call.answer_dtype is None else call.answer_dtype,
            self._threads,
            self._instructions,
            0,
        )
        if fault := library().remoe_answer(packed):
            _raise(Fault(fault))
        return out if out_bytes else bytearray()


def _raise(fault: Fault) -> None:
    if fault is Fault.NO_MEMORY:
        raise MemoryError("no memory for a layer's middle")
    raise FaultyCallError(fault)
