"""The paper's search tree (section 1.6): clusters of clusters around medoids, for comparison.

The paper does not state the branching factor; it is a knob here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from remoe_planner.forecasting.similarity import Found, checked, top

_ROUNDS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeKnobs:
    """Shape of the tree.

    Attributes:
        beta: the most prompts in a leaf (the paper's 150).
        branches: sub-clusters a node is split into.
        seed: of the roulette wheel that seeds the medoids.
    """

    beta: int = 150
    branches: int = 4
    seed: int = 0

    def __post_init__(self) -> None:
        if self.beta < 1:
            raise ValueError(f"beta must be >= 1, got {self.beta}")
        if self.branches < 2:
            raise ValueError(f"branches must be >= 2, got {self.branches}")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Node:
    medoid: int
    rows: NDArray[np.int64]
    children: tuple[_Node, ...] = ()


class ClusterTree:
    """Unit vectors searched by walking down to one leaf; a change plants the tree anew."""

    def __init__(self, units: NDArray[np.float32], knobs: TreeKnobs | None = None) -> None:
        self._units = np.array(units, np.float32)
        self._present = np.ones(len(units), np.bool_)
        self._knobs = knobs or TreeKnobs()
        self._root: _Node | None = self._planted()

    @property
    def nbytes(self) -> int:
        """Bytes of the vectors and of each level's row numbers."""
        return self._units.nbytes + (self._bytes_under(self._root) if self._root else 0)

    def put(self, row: int, unit: NDArray[np.float32]) -> None:
        if not 0 <= row <= len(self._units):
            raise ValueError(f"row must be in 0..{len(self._units)}, got {row}")
        vector = checked(unit, self._units.shape[1])
        if row == len(self._units):
            self._units = np.concatenate([self._units, vector[None]])
            self._present = np.append(self._present, True)
        self._units[row], self._present[row] = vector, True
        self._root = None

    def remove(self, row: int) -> None:
        if 0 <= row < len(self._units):
            self._present[row] = False
            self._root = None

    def nearest(self, unit: NDArray[np.float32], alpha: int) -> Found:
        if self._root is None:
            self._root = self._planted()
        path = self._path(self._root, checked(unit, self._units.shape[1]))
        rows = path[-1].rows
        for node in reversed(path):
            if len(rows) >= alpha:
                break
            rows = np.union1d(rows, node.rows)
        return top(self._units[rows] @ unit, rows, alpha)

    def _planted(self) -> _Node:
        rng = np.random.default_rng(self._knobs.seed)
        return self._grown(0, np.flatnonzero(self._present), rng)

    def _bytes_under(self, node: _Node) -> int:
        return node.rows.nbytes + sum(self._bytes_under(child) for child in node.children)

    def _path(self, root: _Node, unit: NDArray[np.float32]) -> list[_Node]:
        path = [root]
        while path[-1].children:
            children = path[-1].children
            cosines = self._units[[child.medoid for child in children]] @ unit
            path.append(children[int(np.argmax(cosines))])
        return path

    def _grown(self, medoid: int, rows: NDArray[np.int64], rng: np.random.Generator) -> _Node:
        if len(rows) <= self._knobs.beta:
            return _Node(medoid=medoid, rows=rows)
        medoids, owner = self._clustered(rows, rng)
        parts = [(int(m), rows[owner == i]) for i, m in enumerate(medoids)]
        if max(len(part) for _, part in parts) == len(rows):
            return _Node(medoid=medoid, rows=rows)
        children = tuple(self._grown(m, part, rng) for m, part in parts if len(part))
        return _Node(medoid=medoid, rows=rows, children=children)

    def _clustered(
        self, rows: NDArray[np.int64], rng: np.random.Generator
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Medoids and the cluster of each row; medoids move inside their own cluster."""
        medoids = self._seeded(rows, rng)
        owner = self._owners(rows, medoids)
        for _ in range(_ROUNDS):
            moved = np.array([self._medoid(rows[owner == i], m) for i, m in enumerate(medoids)])
            if np.array_equal(moved, medoids):
                break
            medoids = moved
            owner = self._owners(rows, medoids)
        return medoids, owner

    def _seeded(self, rows: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
        """Roulette wheel: each next seed with odds by its distance from those chosen."""
        chosen = [int(rng.choice(rows))]
        far = np.ones(len(rows))
        for _ in range(self._knobs.branches - 1):
            far = np.minimum(far, 1 - self._units[rows] @ self._units[chosen[-1]]).clip(0)
            if not far.sum() > 0:
                break
            chosen.append(int(rng.choice(rows, p=far / far.sum())))
        return np.array(chosen)

    def _owners(self, rows: NDArray[np.int64], medoids: NDArray[np.int64]) -> NDArray[np.int64]:
        return np.asarray((self._units[rows] @ self._units[medoids].T).argmax(axis=1))

    def _medoid(self, rows: NDArray[np.int64], now: int) -> int:
        """The row most similar to all of its cluster: to their sum, vectors being of length 1."""
        if not len(rows):
            return now
        units = self._units[rows]
        return int(rows[np.argmax(units @ units.sum(axis=0))])
