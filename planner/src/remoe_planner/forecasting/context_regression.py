"""What a token's context adds to the token's own estimate: ridge regression, fitted in folds."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from remoe_planner.forecasting.shape import RoutingShape

FOLDS = 4
_PENALTIES = (10.0, 30.0, 100.0, 300.0, 1000.0, 10_000.0)


class Regression:
    """Normal equations, kept apart for each fold of the prompts."""

    def __init__(self) -> None:
        self._grams: list[NDArray[np.float32] | None] = [None] * FOLDS
        self._targets: list[NDArray[np.float32] | None] = [None] * FOLDS

    def add(
        self,
        features: NDArray[np.float32],
        left: NDArray[np.float32],
        weight: float,
        fold: int,
    ) -> None:
        """Take a prompt's tokens: features [n, d], what is left to explain [n, layers, experts]."""
        weighted = np.asarray(features.T * weight, np.float32)
        gram: NDArray[np.float32] = weighted @ features
        target: NDArray[np.float32] = weighted @ left.reshape(len(left), -1)
        old_gram, old_target = self._grams[fold], self._targets[fold]
        self._grams[fold] = gram if old_gram is None else np.add(old_gram, gram)
        self._targets[fold] = target if old_target is None else np.add(old_target, target)

    def solve(self) -> tuple[NDArray[np.float32], list[NDArray[np.float32]]]:
        """Weights [features, layers * experts] from all folds, and from all but each of them.

        The penalty is the one whose left-out folds fit best.
        """
        grams, targets = self._filled(self._grams), self._filled(self._targets)
        gram, target = np.sum(grams, axis=0), np.sum(targets, axis=0)
        tried = []
        for penalty in _PENALTIES:
            apart = [
                _ridge(gram - g, target - t, penalty) for g, t in zip(grams, targets, strict=True)
            ]
            tried.append((self._loss(apart, grams, targets), penalty, apart))
        _, penalty, apart = min(tried, key=lambda trial: trial[:2])
        return _ridge(gram, target, penalty), apart

    @staticmethod
    def _filled(sums: list[NDArray[np.float32] | None]) -> list[NDArray[np.float32]]:
        held = next(s for s in sums if s is not None)
        return [np.zeros_like(held) if s is None else s for s in sums]

    @staticmethod
    def _loss(
        weights: list[NDArray[np.float32]],
        grams: list[NDArray[np.float32]],
        targets: list[NDArray[np.float32]],
    ) -> float:
        """Squared error on the left-out folds, less a constant."""
        return sum(
            float((w * (g @ w - 2 * t)).sum())
            for w, g, t in zip(weights, grams, targets, strict=True)
        )


def by_layer(weights: NDArray[np.float32], shape: RoutingShape) -> NDArray[np.float32]:
    """Flat weights as [layers, features, experts]."""
    apart = weights.reshape(len(weights), *shape.table)
    return np.ascontiguousarray(apart.transpose(1, 0, 2))


def _ridge(
    gram: NDArray[np.float32], target: NDArray[np.float32], penalty: float
) -> NDArray[np.float32]:
    penalized = gram + np.float32(penalty) * np.eye(len(gram), dtype=np.float32)
    return np.asarray(np.linalg.solve(penalized, target), np.float32)
