"""Ridge regression of many targets on few features, its penalty chosen by leaving each row out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_PENALTIES = np.geomspace(0.03, 300, 13)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ridge:
    """Fitted weights.

    Attributes:
        weights: [features, targets].
        leverages: [rows] 0 to 1, how much each row decided its own estimate; what the others say
            of it is off by (target - estimate) / (1 - leverage).
    """

    weights: NDArray[np.float32]
    leverages: NDArray[np.float32]


def fit_ridge(
    features: NDArray[np.float32],
    targets: NDArray[np.float32],
    judged: NDArray[np.int64],
    loss: Callable[[NDArray[np.float32]], float],
) -> Ridge:
    """The weights under whose penalty left-out rows are foretold best.

    Args:
        features: [rows, features], centered, of a mean square of about 1 in all.
        targets: [rows, targets], centered.
        judged: rows the penalty is chosen by.
        loss: of estimates [judged, targets], each made without its own row.
    """
    values, directions = np.linalg.eigh((features.T @ features).astype(np.float64))
    values, directions = values.clip(0), directions.astype(np.float32)
    rotated = features @ directions
    moments = directions.T @ (features.T @ targets)
    squares = rotated**2

    def left_out(penalty: float) -> NDArray[np.float32]:
        shrink = (1 / (values + penalty)).astype(np.float32)
        estimates = rotated[judged] @ (shrink[:, None] * moments)
        leverages = np.minimum(squares[judged] @ shrink, 0.999)[:, None]
        return np.asarray((estimates - leverages * targets[judged]) / (1 - leverages), np.float32)

    best = min(_PENALTIES, key=lambda penalty: loss(left_out(penalty)))
    shrink = (1 / (values + best)).astype(np.float32)
    return Ridge(
        weights=np.asarray(directions @ (shrink[:, None] * moments), np.float32),
        leverages=np.asarray(np.minimum(squares @ shrink, 0.999), np.float32),
    )
