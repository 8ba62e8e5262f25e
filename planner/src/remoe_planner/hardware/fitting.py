"""Curves from times that were measured as sums: so long for all experts of a pass together.

A curve is a sum of ramps, one between each pair of knots, with weights >= 0; so whatever the noise
says, more rows never take less time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import nnls

from remoe_planner.hardware.curve import Curve


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Total:
    """One measured sum.

    Attributes:
        rows: row counts that a curve's seconds were spent on, in any shape; zeros count nothing.
        seconds: of all of them together.
        other: amounts of whatever else took time in it, fitted as seconds for each unit.
    """

    rows: NDArray[np.float64]
    seconds: float
    other: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if not np.isfinite(self.seconds) or not np.all(np.isfinite(self.rows)):
            raise ValueError(f"a measured total must be finite, got {self.seconds} seconds")


def fit_curve(totals: Sequence[Total], knots: Sequence[float]) -> tuple[Curve, tuple[float, ...]]:
    """The curve, and the seconds for each unit of `other`, that explain the totals best.

    Least squares of relative errors, so that short totals count as much as long ones.

    Args:
        totals: at least one, all with as many `other` amounts.
        knots: rows between which the curve is straight, ascending, > 0.

    Raises:
        ValueError: there are no totals.
    """
    if not totals:
        raise ValueError("a curve needs at least one measured total")
    design = np.array([[*_ramps(total.rows, knots), *total.other] for total in totals], float)
    seconds = np.array([max(total.seconds, 0.0) for total in totals])
    weight = 1 / np.maximum(seconds, _LEAST_SECONDS)
    # Columns of one size: seconds for a row and for a token of context lie far apart.
    scale = np.maximum(np.abs(design * weight[:, None]).max(axis=0), _TINY)
    found, _ = nnls(design * weight[:, None] / scale, seconds * weight)
    values = found / scale
    heights = np.cumsum(values[: len(knots)])
    curve = Curve(rows=tuple(map(float, knots)), seconds=tuple(heights.tolist()))
    return curve, tuple(values[len(knots) :].tolist())


def _ramps(rows: ArrayLike, knots: Sequence[float]) -> list[float]:
    """How much of each ramp the rows climb, summed over all of them."""
    flat = np.asarray(rows, np.float64).ravel()
    starts = (0.0, *knots[:-1])
    climbed = [
        np.clip((flat - low) / (high - low), 0, 1) for low, high in zip(starts, knots, strict=True)
    ]
    last = knots[-1] - starts[-1]
    beyond = np.maximum(flat - knots[-1], 0.0) / last
    return [*(float(c.sum()) for c in climbed[:-1]), float((climbed[-1] + beyond).sum())]


_LEAST_SECONDS = 1e-6
_TINY = 1e-30
