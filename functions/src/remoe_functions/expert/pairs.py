"""The (row, expert, weight) pairs of a call: judged, and grouped by expert."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from remoe_functions.expert.computing import asked_twice, no_such_row
from remoe_functions.wire.received import ReceivedCall

TokenRows = npt.NDArray[np.uint32]
Which = npt.NDArray[np.uint16]
Shares = npt.NDArray[np.float32]
Group = tuple[int, TokenRows, Shares]


def judge(call: ReceivedCall) -> None:
    """See that a call's pairs make sense; which experts are served is not asked here.

    Raises:
        CallRefused: a token row is out of bounds, or goes to the same expert twice.
    """
    if not call.pair_count:
        return
    highest = int(call.token_rows.max())
    if highest >= call.shape[0]:
        raise no_such_row(call.shape[0], highest)
    keys = call.experts.astype(np.uint64) << np.uint64(32) | call.token_rows
    keys.sort()
    if (keys[1:] == keys[:-1]).any():
        raise asked_twice()


def grouped(token_rows: TokenRows, which: Which, weights: Shares) -> Iterator[Group]:
    """(expert, its token rows, their weights) for every expert, ascending, each expert once."""
    if not len(which):
        return
    order = np.argsort(which, kind="stable")
    which, token_rows, weights = which[order], token_rows[order], weights[order]
    bounds = np.flatnonzero(which[1:] != which[:-1]) + 1
    for begin, end in zip([0, *bounds], [*bounds, len(order)], strict=True):
        yield int(which[begin]), token_rows[begin:end], weights[begin:end]
