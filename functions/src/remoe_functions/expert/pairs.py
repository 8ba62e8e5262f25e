"""The (row, expert, weight) pairs of a call: grouped by expert, and summed by row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import numpy.typing as npt

from remoe_functions.checkpoint.ffn import ExpertWeights
from remoe_functions.expert.kernel import ExpertKernel
from remoe_functions.expert.precision import Float32
from remoe_functions.wire.errors import CallRefused
from remoe_functions.wire.message import Call, RefusalCode

Group = tuple[int, npt.NDArray[np.uint32], npt.NDArray[np.float32]]


def grouped(call: Call) -> list[Group]:
    """(expert, its token rows, their weights) for every expert of a call, each expert once.

    Raises:
        CallRefused: a token row is out of bounds, or goes to the same expert twice.
    """
    if not len(call.experts):
        return []
    if call.token_rows.max() >= len(call.rows):
        raise CallRefused(
            RefusalCode.BAD_REQUEST,
            f"token_rows must be below {len(call.rows)}, got {call.token_rows.max()}",
        )
    keys = call.experts.astype(np.uint64) << np.uint64(32) | call.token_rows
    order = np.argsort(keys, kind="stable")
    keys = keys[order]
    if (keys[1:] == keys[:-1]).any():
        raise CallRefused(RefusalCode.BAD_REQUEST, "a row goes to the same expert twice")
    return list(_runs(call, order))


def _runs(call: Call, order: npt.NDArray[np.intp]) -> Iterator[Group]:
    experts, rows, weights = call.experts[order], call.token_rows[order], call.weights[order]
    bounds = np.flatnonzero(experts[1:] != experts[:-1]) + 1
    for begin, end in zip([0, *bounds], [*bounds, len(order)], strict=True):
        yield int(experts[begin]), rows[begin:end], weights[begin:end]


def weighted_sum(
    kernel: ExpertKernel,
    experts: Mapping[int, ExpertWeights],
    rows: Float32,
    groups: list[Group],
) -> Float32:
    """Each row's sum of `weight * expert(row)` over its pairs; zero where it has none.

    Args:
        kernel: computes one expert.
        experts: weights of the layer's experts by index; must hold every expert of `groups`.
        rows: [n, hidden].
        groups: of `grouped`; a row occurs at most once in a group.

    Returns:
        [n, hidden], summed in float32 in the order of the experts' indices.
    """
    total = np.zeros_like(rows)
    with np.errstate(all="ignore"):
        for index, members, weights in groups:
            total[members] += weights[:, np.newaxis] * kernel.forward(experts[index], rows[members])
    return total
