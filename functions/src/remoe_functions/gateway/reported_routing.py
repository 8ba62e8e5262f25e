"""Where a request's tokens went, as main tells it on its stream: base64 to arrays, checked."""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from remoe_planner.forecasting.shape import RoutingShape

_DTYPES = frozenset({"|u1", "<u2", "<u4"})


class NotUnderstood(Exception):  # noqa: N818 - the name says what happened
    """Main's report has another form; nothing is learned from it."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PrefillReport:
    """A prompt's routing.

    Attributes:
        counts: float64 [layers, experts], assignments of all its tokens.
        experts: [n, layers, top_k] of its last n tokens.
    """

    counts: NDArray[np.float64]
    experts: NDArray[Any]

    @classmethod
    def read(cls, body: object, shape: RoutingShape) -> PrefillReport:
        """The report in a line's `prefill`.

        Raises:
            NotUnderstood: it has another form or shape.
        """
        if not isinstance(body, Mapping):
            raise NotUnderstood(f"prefill must be an object, got {type(body).__name__}")
        experts = _array(body.get("experts"))
        if experts.shape[1:] != (shape.layers, shape.top_k):
            raise NotUnderstood(
                f"experts must be [n, {shape.layers}, {shape.top_k}], got {experts.shape}"
            )
        return cls(counts=counts_in(body.get("counts"), shape), experts=experts)


def counts_in(body: object, shape: RoutingShape) -> NDArray[np.float64]:
    """Assignments [layers, experts] from their packed form.

    Raises:
        NotUnderstood: they have another form or shape.
    """
    counts = _array(body)
    if counts.shape != shape.table:
        raise NotUnderstood(f"counts must be {list(shape.table)}, got {counts.shape}")
    return counts.astype(np.float64)


def _array(body: object) -> NDArray[Any]:
    try:
        if not isinstance(body, Mapping) or body["dtype"] not in _DTYPES:
            raise NotUnderstood("an array must have shape, data and a dtype of whole numbers")
        data = b64decode(body["data"], validate=True)
        return np.frombuffer(data, body["dtype"]).reshape(body["shape"])
    except (KeyError, TypeError, ValueError, binascii.Error) as error:
        raise NotUnderstood(f"an array that cannot be read: {error}") from error
