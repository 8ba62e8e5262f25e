"""The options of every layer as a table of amounts that add up over the layers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Choices:
    """A multiple-choice problem's table.

    Attributes:
        amounts: [amounts, layers, options]: what each option adds to each total. Layers with
            fewer options than others repeat one of them.
    """

    amounts: NDArray[np.float64]

    def __post_init__(self) -> None:
        if self.amounts.ndim != 3 or 0 in self.amounts.shape:
            raise ValueError(
                f"amounts must be [amounts, layers, options], none empty, got {self.amounts.shape}"
            )
        if not np.all(np.isfinite(self.amounts)):
            raise ValueError("amounts must be finite for every option")

    @property
    def layers(self) -> int:
        return int(self.amounts.shape[1])

    def totals(self, picks: NDArray[np.intp]) -> NDArray[np.float64]:
        """[amounts, n] for picks [n, layers]."""
        return np.asarray(self.amounts[:, np.arange(self.layers), picks].sum(axis=-1))

    def best(self, weights: NDArray[np.float64]) -> NDArray[np.intp]:
        """[n, layers]: the option of least weighted amount in each layer, for weights [n, amounts].

        The first of equals, so the same table gives the same picks.
        """
        used = weights.any(axis=0)
        table = self.amounts[used].astype(np.float32)
        asked = weights[:, used].astype(np.float32)
        # Layer by layer, so that the values stay in the processor's cache.
        picks = [(asked @ table[:, layer]).argmin(axis=1) for layer in range(self.layers)]
        return np.stack(picks, axis=1)
