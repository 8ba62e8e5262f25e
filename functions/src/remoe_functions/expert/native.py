"""The native kernel behind the function's seam: one call into it for one call from the wire."""

from __future__ import annotations

from array import array
from collections.abc import Mapping

from remoe_functions.checkpoint.ffn import ExpertWeights
from remoe_functions.expert.computing import LayerKernel, asked_twice, no_such_row, not_served
from remoe_functions.kernel.answering import AnsweringLayer, CallInFrame, Fault, FaultyCallError
from remoe_functions.kernel.layout import Format
from remoe_functions.kernel.machine import InstructionSet
from remoe_functions.kernel.native_expert import NativeExpert
from remoe_functions.wire.errors import CallRefused
from remoe_functions.wire.message import PAIR_EXPERT, PAIR_ROW, WireDtype
from remoe_functions.wire.received import ReceivedCall

_FORMATS = {
    WireDtype.FLOAT32: Format.F32,
    WireDtype.BFLOAT16: Format.BF16,
    WireDtype.FLOAT16: Format.F16,
}


class NativeKernel:
    """Computes straight from the mapped bytes, whatever their type, with a bounded thread pool."""

    def __init__(self, instructions: InstructionSet, *, threads: int) -> None:
        self.name = f"native/{instructions}"
        self._instructions = instructions
        self._threads = threads

    def layer(self, experts: Mapping[int, ExpertWeights]) -> LayerKernel:
        ready = {index: NativeExpert.of(weights) for index, weights in experts.items()}
        return NativeLayer(AnsweringLayer(ready, self._instructions, threads=self._threads))


class NativeLayer:
    """Experts of one layer, by their places in memory."""

    def __init__(self, layer: AnsweringLayer) -> None:
        self._layer = layer

    def answer(self, call: ReceivedCall) -> bytearray:
        where = CallInFrame(
            frame=call.data,
            weights_at=call.weights_at,
            token_rows_at=call.token_rows_at,
            rows_at=call.rows_at,
            experts_at=call.experts_at,
            row_count=call.shape[0],
            pair_count=call.pair_count,
            dtype=_FORMATS[call.dtype],
            answer_dtype=_FORMATS.get(call.answer_dtype),
        )
        try:
            return self._layer.answer(where)
        except FaultyCallError as error:
            raise self._refusal(call, error.fault) from None

    def _refusal(self, call: ReceivedCall, fault: Fault) -> CallRefused:
        if fault is Fault.TOKEN_ROW:
            return no_such_row(
                call.shape[0], max(_column(call, call.token_rows_at, array(PAIR_ROW)))
            )
        if fault is Fault.EXPERT:
            asked = _column(call, call.experts_at, array(PAIR_EXPERT))
            return not_served(call.layer, min(e for e in asked if not self._layer.has(e)))
        return asked_twice()


def _column(call: ReceivedCall, begin: int, numbers: array[int]) -> list[int]:
    """Numbers of the pairs, one of each; of the type that the empty `numbers` have."""
    numbers.frombytes(call.data[begin : begin + call.pair_count * numbers.itemsize])
    return numbers.tolist()
