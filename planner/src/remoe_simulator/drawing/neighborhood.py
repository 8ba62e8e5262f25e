"""Experts in an order in which those beside each other are busy in the same prompts."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import average, leaves_list, optimal_leaf_ordering
from scipy.spatial.distance import squareform

from remoe_planner.forecasting.outlook import distribution

_FEW = 3


def neighborhoods(counts: NDArray[Any]) -> NDArray[np.int64]:
    """Order of each layer's experts, [layers, experts], from prompts' counts of the same shape.

    The leaves of a tree of average linkage, in their best order (Bar-Joseph et al., 2001);
    distances are those of correlation over prompts.
    """
    shares = distribution(counts.astype(np.float64))
    return np.stack([_ordered(shares[:, layer]) for layer in range(shares.shape[1])])


def _ordered(shares: NDArray[np.float64]) -> NDArray[np.int64]:
    """Of one layer's shares, [prompts, experts]."""
    experts = shares.shape[1]
    if experts < _FEW:
        return np.arange(experts)
    distances = 1.0 - _correlations(shares)
    condensed = squareform(distances, checks=False)
    return np.asarray(leaves_list(optimal_leaf_ordering(average(condensed), condensed)), np.int64)


def _correlations(shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """[experts, experts]; 0 between experts of which one never changes, 1 with themselves."""
    off = shares - shares.mean(axis=0)
    lengths = np.linalg.norm(off, axis=0)
    units = np.divide(off, lengths, out=np.zeros_like(off), where=lengths > 0)
    found = units.T @ units
    np.fill_diagonal(found, 1.0)
    return np.asarray(np.clip(found, -1.0, 1.0))
