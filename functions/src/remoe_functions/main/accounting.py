"""What one request used: where its experts ran, which calls were made for it, for how long."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from remoe_functions.main.placement import LOCAL, Placement
from remoe_functions.main.request import FunctionUse
from remoe_functions.main.trace import Trace


@dataclass(slots=True)
class _FunctionBill:
    calls: float = 0.0
    rows: int = 0
    busy_seconds: float = 0.0


@dataclass(slots=True)
class Account:
    """One request's account, filled by `charge`.

    Attributes:
        main_seconds: its share of forward passes.
        layers: int64 [MoE layers, 3]: pairs computed locally, remotely, in place of a function.
        prefill: uint32 [MoE layers, experts]: tokens of the prompt routed to each expert.
        decode: the same for generated tokens.
        routing: experts of the prompt's tokens, a piece [rows, MoE layers, top_k] for each
            forward pass, where somebody asked for them; else None.
    """

    layers: NDArray[np.int64]
    prefill: NDArray[np.uint32]
    decode: NDArray[np.uint32]
    main_seconds: float = 0.0
    functions: dict[str, _FunctionBill] = field(default_factory=dict)
    routing: list[NDArray[Any]] | None = None

    @classmethod
    def empty(cls, placement: Placement) -> Account:
        layers, experts = placement.architecture.shape
        return cls(
            layers=np.zeros((layers, 3), dtype=np.int64),
            prefill=np.zeros((layers, experts), dtype=np.uint32),
            decode=np.zeros((layers, experts), dtype=np.uint32),
        )

    @property
    def use(self) -> dict[str, FunctionUse]:
        """Use of each function by name."""
        return {
            name: FunctionUse(calls=bill.calls, rows=bill.rows, busy_seconds=bill.busy_seconds)
            for name, bill in self.functions.items()
        }

    def take_routing(self, last: int) -> NDArray[Any]:
        """The routing [n, MoE layers, top_k] of the prompt's last n <= `last` tokens, let go of."""
        pieces, self.routing = self.routing or [], None
        experts = len(self.prefill[0])
        whole = np.concatenate(pieces) if pieces else np.zeros((0, len(self.prefill), 0), np.uint8)
        return whole[-last:].astype(np.min_scalar_type(experts - 1), copy=False)

    def add_call(self, function: str, share: float, rows: int, busy_seconds: float) -> None:
        """Add a share of an answered call."""
        bill = self.functions.setdefault(function, _FunctionBill())
        bill.calls += share
        bill.rows += rows
        bill.busy_seconds += share * busy_seconds


def charge(
    accounts: list[Account], trace: Trace, placement: Placement, *, seconds: float, decode: bool
) -> None:
    """Share one forward pass out among its requests.

    Args:
        accounts: row i of the pass belongs to `accounts[i]`; a single account owns every row.
        trace: what happened in the pass.
        placement: where experts run.
        seconds: how long the pass took.
        decode: whether the rows are generated tokens.
    """
    for account in accounts:
        account.main_seconds += seconds / len(accounts)
    table = trace.table(len(placement.homes))
    if table is None:
        return
    _charge_routing(accounts, table, trace, placement, decode)
    _charge_calls(accounts, trace, rows=table.shape[1])


def _charge_routing(
    accounts: list[Account],
    table: NDArray[np.int64],
    trace: Trace,
    placement: Placement,
    decode: bool,
) -> None:
    """`table` is int [MoE layers, rows, top_k]."""
    layers, rows, top_k = table.shape
    homes = placement.homes[np.arange(layers)[:, None, None], table]
    remote = (homes != LOCAL).sum(axis=2)
    fallback = trace.fallback_counts(layers, rows)
    split = np.stack([top_k - remote, remote - fallback, fallback], axis=2)
    experts = placement.architecture.experts_per_layer
    flat = table + experts * np.arange(layers)[:, None, None]
    for account, part in zip(accounts, _parts(rows, len(accounts)), strict=True):
        account.layers += split[:, part].sum(axis=1)
        counts = np.bincount(flat[:, part].reshape(-1), minlength=layers * experts)
        target = account.decode if decode else account.prefill
        if account.routing is not None and not decode:
            kind = np.min_scalar_type(experts - 1)
            account.routing.append(table[:, part].transpose(1, 0, 2).astype(kind))
        target += counts.reshape(layers, experts).astype(np.uint32)


def _charge_calls(accounts: list[Account], trace: Trace, rows: int) -> None:
    for call in trace.calls:
        if len(accounts) == 1:
            distinct = len(np.unique(call.rows))
            accounts[0].add_call(call.function, 1.0, distinct, call.busy_seconds)
            continue
        pairs = np.bincount(call.rows, minlength=rows)
        for row in np.flatnonzero(pairs).tolist():
            share = float(pairs[row]) / len(call.rows)
            accounts[row].add_call(call.function, share, 1, call.busy_seconds)


def _parts(rows: int, owners: int) -> list[slice]:
    return [slice(0, rows)] if owners == 1 else [slice(row, row + 1) for row in range(rows)]
