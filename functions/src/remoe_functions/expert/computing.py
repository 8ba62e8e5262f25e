"""The seam for whatever computes experts, and what a call is refused for in all of them.

The native kernel stands behind it in `native`, the one that needs nothing but numpy in `kernel`;
which of the two is used is decided in `choice`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

from remoe_functions.wire.errors import CallRefused
from remoe_functions.wire.message import RefusalCode
from remoe_planner.experts import ExpertId

if TYPE_CHECKING:
    from remoe_functions.checkpoint.ffn import ExpertWeights
    from remoe_functions.wire.message import Array
    from remoe_functions.wire.received import ReceivedCall


class LayerKernel(Protocol):
    """Some experts of one layer, ready to compute."""

    def answer(self, call: ReceivedCall) -> Array | bytearray:
        """Each row's sum of `weight * expert(row)` over its pairs; zero where it has none.

        Returns:
            [n, hidden] in the type that the call asks for, or the bytes of such: float32 shares,
            added in float64 in the order of the experts, then rounded; NaN and infinity pass
            through.

        Raises:
            CallRefused: the pairs contradict the call or each other, or name an expert that is
                not among these.
        """
        ...


class Kernel(Protocol):
    """What computes experts; for one thread at a time.

    Attributes:
        name: for people and metrics.
    """

    name: str

    def layer(self, experts: Mapping[int, ExpertWeights]) -> LayerKernel:
        """Make experts of one layer, by their numbers in the model, ready to compute."""
        ...


def no_such_row(rows: int, named: int) -> CallRefused:
    """The refusal of a pair whose row is not among the call's."""
    return CallRefused(RefusalCode.BAD_REQUEST, f"token_rows must be below {rows}, got {named}")


def not_served(layer: int, index: int) -> CallRefused:
    """The refusal of a pair whose expert is not here."""
    expert = ExpertId(layer, index)
    return CallRefused(RefusalCode.UNKNOWN_EXPERT, f"expert {expert} is not served here")


def asked_twice() -> CallRefused:
    """The refusal of a row that goes to the same expert twice."""
    return CallRefused(RefusalCode.BAD_REQUEST, "a row goes to the same expert twice")
