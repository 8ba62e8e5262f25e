"""The experts in the order in which a forward pass comes to them: by layer, then by home."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from remoe_planner.estimating.placed import Placed

Places = NDArray[np.int32]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Layout:
    """A plan's experts by *place*, 0 to layers * experts - 1; homes are numbered as in `Placed`.

    A call asks one function for its experts of one layer, which lie side by side.

    Attributes:
        layers: of the model that have routed experts.
        experts: in each of them.
        place_of: [layers * experts], the place of each expert.
        home_at: [places], the function there, from 1; 0 is the main model.
        layer_at: [places].
        call_at: [places], the number of the call that asks for it.
        calls: different calls that a pass can make, those to the main model itself included.
    """

    layers: int
    experts: int
    place_of: Places
    home_at: Places
    layer_at: Places
    call_at: Places
    calls: int

    @classmethod
    def of(cls, placed: Placed) -> Self:
        """Of a placement."""
        layers, experts = placed.homes.shape
        order = np.argsort(placed.homes, axis=1, kind="stable")
        home_at = np.take_along_axis(placed.homes, order, axis=1)
        fresh = np.ones(home_at.shape, bool)
        fresh[:, 1:] = np.diff(home_at, axis=1) != 0
        call_at = np.cumsum(fresh) - 1
        cells = (order + experts * np.arange(layers)[:, None]).ravel()
        place_of = np.empty(len(cells), np.int32)
        place_of[cells] = np.arange(len(cells))
        return cls(
            layers=layers,
            experts=experts,
            place_of=place_of,
            home_at=home_at.ravel().astype(np.int32),
            layer_at=np.repeat(np.arange(layers), experts).astype(np.int32),
            call_at=call_at.astype(np.int32),
            calls=int(call_at[-1]) + 1,
        )

    def places_of(self, picks: NDArray[np.uint16]) -> Places:
        """Places of a token's picks: [steps, layers, top_k] to [steps, layers * top_k]."""
        cells = (
            picks.astype(np.int32)
            + np.int32(self.experts) * np.arange(self.layers, dtype=np.int32)[:, None]
        )
        return np.asarray(self.place_of[cells].reshape(len(picks), math.prod(picks.shape[1:])))

    def counts_by_place(self, rows: NDArray[np.uint16]) -> NDArray[np.int64]:
        """Rows at every expert, [layers, experts], by place."""
        counts = np.empty(len(self.place_of), np.int64)
        counts[self.place_of] = rows.ravel()
        return counts
