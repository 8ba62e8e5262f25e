"""Seconds as a function of token rows, between the points where they were measured."""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """Straight lines through measured points, from zero seconds at zero rows.

    Below the first point the line to zero is what an expectation needs: a tenth of a row is one
    row, one time in ten. Beyond the last point the last slope goes on.

    Attributes:
        rows: token rows, ascending, > 0.
        seconds: time for each, >= 0, never falling.
    """

    rows: tuple[float, ...]
    seconds: tuple[float, ...]

    def __post_init__(self) -> None:
        if not self.rows or len(self.rows) != len(self.seconds):
            raise ValueError(
                f"a curve needs as many rows as seconds, at least one, "
                f"got {len(self.rows)} and {len(self.seconds)}"
            )
        if not all(math.isfinite(value) for value in self.rows + self.seconds):
            raise ValueError(f"a curve must be finite, got {self.rows} and {self.seconds}")
        if self.rows[0] <= 0 or any(b <= a for a, b in pairwise(self.rows)):
            raise ValueError(f"a curve's rows must be > 0 and ascending, got {self.rows}")
        if self.seconds[0] < 0 or any(b < a for a, b in pairwise(self.seconds)):
            raise ValueError(f"a curve's seconds must be >= 0 and not fall, got {self.seconds}")

    @classmethod
    def constant(cls, seconds: float) -> Curve:
        """The same time for any number of rows from one on."""
        return cls(rows=(1.0, 2.0), seconds=(seconds, seconds))

    @classmethod
    def nothing(cls) -> Curve:
        """No time at all."""
        return cls.constant(0.0)

    def at(self, rows: ArrayLike) -> NDArray[np.float64]:
        """Seconds for these numbers of rows (fractions are expectations), of the same shape."""
        asked = np.asarray(rows, np.float64)
        if not asked.ndim:
            return np.asarray(self._at_one(float(asked)))
        known = np.interp(asked, (0.0, *self.rows), (0.0, *self.seconds))
        beyond = np.maximum(asked - self.rows[-1], 0.0) * self._last_slope
        return np.asarray(known + beyond, np.float64)

    def _at_one(self, asked: float) -> float:
        """The same for one number, asked hundreds of times a plan: many times faster."""
        place = bisect_right(self.rows, asked)
        if place == len(self.rows):
            return self.seconds[-1] + (asked - self.rows[-1]) * self._last_slope
        before, start = (self.rows[place - 1], self.seconds[place - 1]) if place else (0.0, 0.0)
        share = (max(asked, 0.0) - before) / (self.rows[place] - before)
        return start + (self.seconds[place] - start) * share

    @property
    def _last_slope(self) -> float:
        if len(self.rows) == 1:
            return self.seconds[0] / self.rows[0]
        return (self.seconds[-1] - self.seconds[-2]) / (self.rows[-1] - self.rows[-2])

    @classmethod
    def from_mapping(cls, values: dict[str, Any]) -> Curve:
        """Read `{"rows": [...], "seconds": [...]}`.

        Raises:
            ValueError: another form, or a curve that is none; says which field.
        """
        try:
            rows, seconds = values["rows"], values["seconds"]
            return cls(rows=tuple(map(float, rows)), seconds=tuple(map(float, seconds)))
        except (KeyError, TypeError) as error:
            raise ValueError(
                f"a curve needs lists of numbers rows and seconds: {error!r}"
            ) from error
