"""How the tokens of a service's requests spread over the experts."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from remoe_planner.activation_history import ActivationHistory
from remoe_planner.architecture import Architecture
from remoe_planner.demand.shrinkage import shrunk_shares


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Routing:
    """Expected shares of each layer's assignments, and samples of single requests.

    Attributes:
        prefill: [layers, experts], each row sums to 1: prompt tokens (the paper's s~).
        decode: the same of generated tokens.
        samples: [n, layers, experts], counts of single requests, prompt and answer together, from
            which it is told which experts are used by the same requests; may have no rows.
        sample_tokens: [n], tokens of each of them.
    """

    prefill: NDArray[np.float64]
    decode: NDArray[np.float64]
    samples: NDArray[np.uint32]
    sample_tokens: NDArray[np.uint32]
    _visits: dict[int, tuple[NDArray[np.float64], NDArray[np.float64]]] = field(
        default_factory=dict, init=False, repr=False
    )
    _by_expert: dict[int, tuple[NDArray[np.float32], NDArray[np.float64]]] = field(
        default_factory=dict, init=False, repr=False
    )

    def __post_init__(self) -> None:
        for name in ("prefill", "decode"):
            shares = getattr(self, name)
            if shares.ndim != 2 or shares.shape != self.prefill.shape:
                raise ValueError(f"routing: {name} must be [layers, experts], got {shares.shape}")
            if not np.all(np.isfinite(shares)) or np.any(shares < 0):
                raise ValueError(f"routing: {name} must be finite and >= 0 for every expert")
            if not np.allclose(shares.sum(axis=1), 1, atol=1e-6):
                raise ValueError(f"routing: {name} must sum to 1 in every layer")
        if self.samples.shape[1:] != self.prefill.shape:
            raise ValueError(
                f"routing: samples must be [n, {self.prefill.shape[0]}, {self.prefill.shape[1]}], "
                f"got {self.samples.shape}"
            )
        if self.sample_tokens.shape != self.samples.shape[:1]:
            raise ValueError("routing: sample_tokens must have one entry for each sample")

    @classmethod
    def of(cls, history: ActivationHistory) -> Routing:
        """From recorded requests; even where there are none.

        Each phase's shares are those of all its recorded assignments, drawn towards even ones
        where few requests were recorded (`shrinkage`); a phase that was never recorded takes the
        other's.
        """
        prefill, decode = history.prefill, history.decode
        return cls(
            prefill=shrunk_shares(prefill if prefill.any() else decode),
            decode=shrunk_shares(decode if decode.any() else prefill),
            samples=history.prefill + history.decode,
            sample_tokens=history.prompt_tokens + history.decode_tokens,
        )

    @classmethod
    def even(cls, architecture: Architecture) -> Routing:
        """Every expert as often as any other."""
        return cls.of(ActivationHistory.empty(architecture.shape, architecture.hidden_size))

    def visits(self, top_k: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Probability that a prompt token, and a generated one, visits each expert (`inclusion`).

        Computed once; both [layers, experts].
        """
        found = self._visits.get(top_k)
        if found is None:
            found = inclusion(self.prefill, top_k), inclusion(self.decode, top_k)
            self._visits[top_k] = found
        return found

    def by_expert(self, most: int) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
        """No more than so many samples, spread evenly over all, and the tokens of each.

        Computed once; [layers, experts, samples], exact up to 16 million, and [samples].
        """
        found = self._by_expert.get(most)
        if found is None:
            step = max(1, -(-len(self.samples) // most))
            counts = _samples_last(self.samples[::step])
            found = counts, self.sample_tokens[::step].astype(np.float64)
            self._by_expert[most] = found
        return found

    @property
    def shape(self) -> tuple[int, int]:
        """(MoE layers, experts per layer)."""
        return self.prefill.shape[0], self.prefill.shape[1]


def inclusion(shares: NDArray[np.float64], top_k: int) -> NDArray[np.float64]:
    """Probability that one token visits each expert, [layers, experts], rows summing to top_k.

    A token visits an expert once at most, so what would exceed 1 goes to the layer's others.
    """
    visits = np.minimum(shares * top_k, 1.0)
    for _ in range(_ROUNDS):
        missing = top_k - visits.sum(axis=1, keepdims=True)
        if np.all(missing < _ENOUGH):
            break
        open_shares = np.where(visits < 1, shares + _ENOUGH, 0.0)
        total = open_shares.sum(axis=1, keepdims=True)
        more = np.divide(open_shares, total, out=np.zeros_like(shares), where=total > 0)
        visits = np.minimum(visits + more * missing, 1.0)
    return visits


def _samples_last(counts: NDArray[np.uint32]) -> NDArray[np.float32]:
    """[layers, experts, samples] of [samples, layers, experts], in the order of memory."""
    samples, cells = len(counts), math.prod(counts.shape[1:])
    # Rows an even number of cache lines apart share few sets of the cache, and evict each other.
    width = (-(-cells // _LINE) | 1) * _LINE
    rows = np.empty((samples, width), np.float32)
    rows[:, :cells] = counts.reshape(samples, cells)
    return np.ascontiguousarray(rows[:, :cells].T).reshape(*counts.shape[1:], samples)


_LINE = 16
_ROUNDS = 32
_ENOUGH = 1e-9
