"""The search beyond what can be compared one by one: FAISS, a recipe per size.

Vectors are put to cells around centers (an inverted file); a search looks into the nearest few
cells, whose vectors are held as a byte a number. FAISS is loaded when the first such index is
made, so that a gateway with a short history never pays for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from remoe_planner.forecasting.exact_index import ExactIndex
from remoe_planner.forecasting.similarity import Found, SimilarityIndex, checked, top

_SAMPLE_PER_CELL = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class ApproximateKnobs:
    """What a search may cost.

    Attributes:
        cells: of the inverted file; None: twice the root of the number of vectors.
        probes: cells a search looks into.
        bits: a number of a vector is held in, 4, 8, or 16.
        seed: of the clustering.
    """

    cells: int | None = None
    probes: int = 32
    bits: int = 8
    seed: int = 0

    def __post_init__(self) -> None:
        if self.cells is not None and self.cells < 1:
            raise ValueError(f"cells must be >= 1, got {self.cells}")
        if self.probes < 1:
            raise ValueError(f"probes must be >= 1, got {self.probes}")
        if self.bits not in (4, 8, 16):
            raise ValueError(f"bits must be 4, 8 or 16, got {self.bits}")

    def cells_of(self, count: int) -> int:
        """Cells for so many vectors: never so many that a center has too little to stand on."""
        wanted = self.cells if self.cells is not None else round(2 * np.sqrt(count))
        return int(max(1, min(wanted, count // 4)))


class ApproximateIndex:
    """An inverted file. Deletions are real: a removed or replaced vector is taken out at once.

    The centers stay where they were put at the start; whoever holds the vectors makes a new index
    when the number of prompts has doubled.
    """

    def __init__(self, units: NDArray[np.float32], knobs: ApproximateKnobs | None = None) -> None:
        """Cluster the rows [n, width] and hold them: minutes of a core for 10^6.

        Raises:
            ValueError: there are no rows: centers need vectors to stand among.
        """
        if not len(units):
            raise ValueError("units must hold at least one row, got none")
        self._knobs = knobs or ApproximateKnobs()
        self._width = units.shape[1]
        self._rows = len(units)
        self._index = _trained(units, self._knobs)
        # With numbers given: FAISS' plain `add` leaves the table of deletions empty (1.15).
        numbers = np.arange(self._rows, dtype=np.int64)
        self._index.add_with_ids(np.ascontiguousarray(units, np.float32), numbers)

    @property
    def nbytes(self) -> int:
        """Bytes of the vectors, their numbers and the centers, without FAISS' own slack."""
        code = self._index.sa_code_size()
        per_vector = code + 8 + 16  # its number, and where it stands, for deletions
        return int(self._index.ntotal * per_vector + self._index.nlist * self._width * 4)

    def nearest(self, unit: NDArray[np.float32], alpha: int) -> Found:
        query = checked(unit, self._width)[None]
        cosines, rows = self._index.search(query, min(alpha, max(1, self._index.ntotal)))
        found = rows[0] >= 0
        return top(cosines[0][found], rows[0][found].astype(np.int64), alpha)

    def put(self, row: int, unit: NDArray[np.float32]) -> None:
        if not 0 <= row <= self._rows:
            raise ValueError(f"row must be in 0..{self._rows}, got {row}")
        vector = checked(unit, self._width)[None]
        self.remove(row)
        self._index.add_with_ids(vector, np.array([row], np.int64))
        self._rows = max(self._rows, row + 1)

    def remove(self, row: int) -> None:
        self._index.remove_ids(np.array([row], np.int64))


def _trained(units: NDArray[np.float32], knobs: ApproximateKnobs) -> Any:  # noqa: ANN401
    """FAISS' index with centers, and the range of each number, from a sample drawn by the seed."""
    faiss = import_module("faiss")
    cells = knobs.cells_of(len(units))
    code = "SQfp16" if knobs.bits == 16 else f"SQ{knobs.bits}"
    index = faiss.index_factory(units.shape[1], f"IVF{cells},{code}", faiss.METRIC_INNER_PRODUCT)
    index.cp.seed = knobs.seed
    index.cp.min_points_per_centroid = 1
    index.cp.max_points_per_centroid = _SAMPLE_PER_CELL
    index.cp.spherical = True
    chosen = np.random.default_rng(knobs.seed).permutation(len(units))
    sample = units[np.sort(chosen[: _SAMPLE_PER_CELL * cells])]
    index.train(np.ascontiguousarray(sample, np.float32))
    index.set_direct_map_type(faiss.DirectMap.Hashtable)
    index.nprobe = min(knobs.probes, cells)
    return index


def index_for(units: NDArray[np.float32], *, exact_most: int = 100_000) -> SimilarityIndex:
    """The search that suits so many vectors: exact while that is fast, then approximate."""
    return ExactIndex(units) if len(units) <= exact_most else ApproximateIndex(units)
