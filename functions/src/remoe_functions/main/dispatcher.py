"""One MoE layer's routed experts: remote calls leave first, local experts compute meanwhile.

This is all that transformers' experts interface calls. The answer of a layer is the sum over
pairs of weight times expert, the same to the bit whichever side computed which (`partial_sums`).
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from remoe_functions.kernel.native_expert import ExpertTable
from remoe_functions.main.calls import Caller, InFlight, Work
from remoe_functions.main.local_experts import LocalExperts
from remoe_functions.main.partial_sums import Sums, add_answer, answer_dtype, are_whole
from remoe_functions.main.placement import LOCAL, Placement
from remoe_functions.main.settings import CallSettings
from remoe_functions.main.spread import Pairs, Rows, chunks, spread_over_replicas
from remoe_functions.main.tensors import to_rows
from remoe_functions.main.timing import Part, StepTimer
from remoe_functions.main.trace import CallTrace, FallbackTrace, Trace
from remoe_functions.wire.message import WireDtype

_WIRE_DTYPES = {
    torch.float32: WireDtype.FLOAT32,
    torch.bfloat16: WireDtype.BFLOAT16,
    torch.float16: WireDtype.FLOAT16,
}


class Dispatcher:
    """Carries out a placement, layer by layer."""

    def __init__(
        self,
        placement: Placement,
        local: LocalExperts,
        caller: Caller,
        *,
        settings: CallSettings,
        timer: StepTimer,
    ) -> None:
        self._placement = placement
        self._local = local
        self._caller = caller
        self._settings = settings
        self._timer = timer
        self._trace = Trace()
        self._rehearsing = False

    @contextmanager
    def rehearsal(self) -> Iterator[None]:
        """Within it remote experts are left out: warming up must not wake functions."""
        self._rehearsing = True
        try:
            yield
        finally:
            self._rehearsing = False
            self._trace = Trace()

    def take_trace(self) -> Trace:
        """What happened since the last call; weights borrowed for fallbacks are let go."""
        trace, self._trace = self._trace, Trace()
        if trace.fallbacks:
            self._local.release()
        return trace

    def run(
        self, layer: int, hidden: torch.Tensor, index: torch.Tensor, weights: torch.Tensor
    ) -> torch.Tensor:
        """The routed experts' output for one layer.

        Args:
            layer: the decoder layer's index.
            hidden: [rows, hidden], on any device.
            index: int [rows, top_k], the experts of each row.
            weights: [rows, top_k], what each expert's output counts.

        Returns:
            [rows, hidden], of the type and on the device of `hidden`.
        """
        chosen = index.cpu().numpy()
        shares = weights.to("cpu", torch.float32).numpy()
        return self.run_routed(layer, hidden.cpu(), chosen, shares).to(hidden.device)

    def run_routed(
        self,
        layer: int,
        rows: torch.Tensor,
        chosen: NDArray[np.integer[Any]],
        shares: NDArray[np.float32],
    ) -> torch.Tensor:
        """The same with everything on the CPU.

        Args:
            layer: the decoder layer's index.
            rows: [rows, hidden].
            chosen: [rows, top_k], the experts of each row; kept.
            shares: [rows, top_k], what each expert's output counts.
        """
        layer_row = self._placement.row_of[layer]
        self._trace.routing.append((layer_row, chosen))
        pairs = _pairs_of(chosen, shares)
        homes = self._placement.homes[layer_row][pairs.experts]
        if homes.any():
            total = self._run_split(layer, rows, pairs, homes)
        else:
            total = self._run_local(layer, rows, pairs)
        # Rounded by way of float32, as functions do.
        return torch.from_numpy(total).to(rows.dtype)

    def native_experts(self, layer: int) -> ExpertTable | None:
        """A layer's experts for who computes all of them without this; None where some are remote.

        What came of it is told to `note`.
        """
        if self._placement.homes[self._placement.row_of[layer]].any():
            return None
        return self._local.native_experts(layer)

    def note(self, layers: Sequence[int], chosen: NDArray[np.integer[Any]], seconds: float) -> None:
        """Take down what was computed from `native_experts`.

        Args:
            layers: the decoder layers' indices.
            chosen: [layers, rows, top_k], the experts of each row; kept.
            seconds: spent on experts.
        """
        rows = (self._placement.row_of[layer] for layer in layers)
        self._trace.routing.extend(zip(rows, chosen, strict=True))
        self._timer.give(Part.LOCAL_EXPERTS, seconds)

    def _run_local(self, layer: int, rows: torch.Tensor, pairs: Pairs) -> Sums:
        since = time.perf_counter()
        total = self._local.weighted_sum(layer, rows, pairs)
        self._timer.add(Part.LOCAL_EXPERTS, since)
        return total

    def _run_split(
        self, layer: int, rows: torch.Tensor, pairs: Pairs, homes: NDArray[np.int16]
    ) -> Sums:
        since = time.perf_counter()
        sent = [] if self._rehearsing else self._send(layer, rows, pairs, homes)
        self._timer.add(Part.WIRE, since)
        here = pairs.pick(homes == LOCAL)
        total = self._run_local(layer, rows, here) if len(here) else np.zeros(rows.shape)
        for call in sent:
            self._join(layer, rows, call, total)
        return total

    def _send(
        self, layer: int, rows: torch.Tensor, pairs: Pairs, homes: NDArray[np.int16]
    ) -> list[InFlight]:
        sent, top_k, dtype = [], len(pairs) // len(rows), _WIRE_DTYPES[rows.dtype]
        for home in np.unique(homes[homes != LOCAL]):
            function = self._placement.function_at(int(home))
            for part in self._split(function, pairs.pick(homes == home), rows):
                distinct = np.unique(part.rows)
                payload = rows if len(distinct) == len(rows) else rows[distinct.tolist()]
                work = Work(
                    function=function,
                    layer=layer,
                    pairs=part,
                    distinct=distinct,
                    rows=to_rows(payload.contiguous()),
                    dtype=dtype,
                    answer_dtype=answer_dtype(len(part), len(distinct), top_k, dtype),
                    whole=are_whole(len(part), len(distinct), top_k),
                )
                sent.append(self._caller.send(work))
        return sent

    def _split(self, function: str, pairs: Pairs, rows: torch.Tensor) -> list[Pairs]:
        worth = max(1, len(pairs) // self._settings.spread_pairs)
        replicas = min(worth, max(1, len(self._caller.replicas(function))))
        parts = [pairs] if replicas == 1 else spread_over_replicas(pairs, replicas)
        row_bytes = rows.shape[1] * rows.element_size()
        most = max(1, self._settings.max_rows_bytes // row_bytes)
        return [chunk for part in parts for chunk in chunks(part, most)]

    def _join(self, layer: int, rows: torch.Tensor, call: InFlight, total: Sums) -> None:
        since = time.perf_counter()
        answer = self._caller.collect(call)
        since = self._timer.add(Part.WAITING, since)
        pairs = call.work.pairs
        if answer is None:
            self._trace.fallbacks.append(
                FallbackTrace(layer_row=self._placement.row_of[layer], rows=pairs.rows)
            )
            total += self._local.borrow(layer, rows, pairs)
            self._timer.add(Part.LOCAL_EXPERTS, since)
            return
        add_answer(total, call.work.distinct, answer.rows, whole=call.work.whole)
        self._trace.calls.append(
            CallTrace(
                function=call.work.function, rows=pairs.rows, busy_seconds=answer.busy_seconds
            )
        )
        self._timer.add(Part.WIRE, since)


@lru_cache(maxsize=64)
def _rows_of(count: int, top_k: int) -> Rows:
    """The row of each pair of so many rows."""
    rows = np.repeat(np.arange(count, dtype=np.uint32), top_k)
    rows.flags.writeable = False
    return rows


def _pairs_of(ids: NDArray[np.integer[Any]], shares: NDArray[np.float32]) -> Pairs:
    return Pairs(
        rows=_rows_of(*ids.shape),
        experts=ids.astype(np.uint16, copy=False).reshape(-1),
        weights=np.ascontiguousarray(shares).reshape(-1),
    )
