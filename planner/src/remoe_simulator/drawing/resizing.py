"""Routing of one model made into that of another size: layers, experts, experts a token visits.

Layers are matched by depth. A layer's experts lie on a line, each as long as its share of the
assignments, those that are busy in the same prompts beside each other. The other model's experts
lie on the same line, each as long as the one of its own rank by popularity: where experts become
fewer it unites neighbors, where they become more it is a part of one. So the curve of how much the
busiest part of the experts gets stays as it was, and what prompts differ in is lost as little as
fewer experts allow.

Where in its expert's part a pick lies, and which of a token's picks stay when fewer are wanted, is
told by a hash of the token's own picks in that layer: a token that comes twice goes the same way
twice, as in a model.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from remoe_planner.forecasting.outlook import distribution
from remoe_planner.forecasting.shape import RoutingShape
from remoe_simulator.drawing.neighborhood import neighborhoods

_TOKENS_AT_ONCE = 256
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FIRST = np.uint64(0xBF58476D1CE4E5B9)
_SECOND = np.uint64(0x94D049BB133111EB)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Resizing:
    """How picks of one shape become those of another.

    Attributes:
        source: shape of the recorded routing.
        target: shape that is wanted.
        starts: [target layers, source experts], where each begins on the line from 0 to 1.
        shares: [target layers, source experts], its length.
        ends: [target layers, target experts], where each place of the other model ends.
        names: [target layers, target experts], the expert that has each place.
        codes: uint64 [target layers, source experts], what picks are hashed by.
    """

    source: RoutingShape
    target: RoutingShape
    starts: NDArray[np.float64]
    shares: NDArray[np.float64]
    ends: NDArray[np.float64]
    names: NDArray[np.int64]
    codes: NDArray[np.uint64]

    @classmethod
    def of(
        cls, counts: NDArray[Any], source: RoutingShape, target: RoutingShape, *, seed: int
    ) -> Resizing:
        """From prompts' counts, [prompts, source layers, source experts].

        Raises:
            ValueError: the counts are of another shape.
        """
        if counts.ndim != 3 or counts.shape[1:] != source.table:
            raise ValueError(f"counts must be [prompts, *{source.table}], got {counts.shape}")
        generator = np.random.default_rng(seed)
        shares = distribution(counts.sum(axis=0) + 1.0)
        order = neighborhoods(counts)
        laid = np.take_along_axis(shares, order, axis=1)
        starts = np.empty_like(laid)
        np.put_along_axis(starts, order, laid.cumsum(axis=1) - laid, axis=1)
        of_layer = _matched(source, target)
        places = np.tile(np.arange(target.experts), (target.layers, 1))
        return cls(
            source=source,
            target=target,
            starts=starts[of_layer],
            shares=shares[of_layer],
            ends=_ends(shares, starts, target.experts)[of_layer],
            names=generator.permuted(places, axis=1),
            codes=generator.integers(2**64, size=(target.layers, source.experts), dtype=np.uint64),
        )

    def picks(self, picks: NDArray[Any]) -> NDArray[np.uint16]:
        """[tokens, source layers, source top_k] as [tokens, target layers, target top_k].

        Raises:
            ValueError: the picks are of another shape.
        """
        if picks.shape[1:] != (self.source.layers, self.source.top_k):
            raise ValueError(
                f"picks must be [tokens, {self.source.layers}, {self.source.top_k}], "
                f"got {picks.shape}"
            )
        made = [
            self._some(picks[start : start + _TOKENS_AT_ONCE])
            for start in range(0, len(picks), _TOKENS_AT_ONCE)
        ]
        nothing = np.zeros((0, self.target.layers, self.target.top_k), np.uint16)
        return np.concatenate([nothing, *made])

    def _some(self, picks: NDArray[Any]) -> NDArray[np.uint16]:
        places = self._first_distinct(self._candidates(picks))
        layers = np.arange(self.target.layers)[:, None]
        return self.names[layers, places].astype(np.uint16)

    def _candidates(self, picks: NDArray[Any]) -> NDArray[np.int64]:
        """Places that a token's picks stand for, the first wanted most, [tokens, layers, n]."""
        layers = np.arange(self.target.layers)[:, None]
        there = picks[:, _matched(self.source, self.target)].astype(np.int64)
        codes = self.codes[layers, there]
        hashes = _mixed(codes + _mixed(codes).sum(axis=-1, keepdims=True, dtype=np.uint64))
        order = np.argsort(hashes, axis=-1)
        hashes = np.take_along_axis(hashes, order, axis=-1)
        there = np.take_along_axis(there, order, axis=-1)
        starts, shares = self.starts[layers, there], self.shares[layers, there]
        rounds = 1 - (-self.target.top_k // self.source.top_k)
        points = [starts + shares * _part(hashes, number) for number in range(rounds)]
        return self._places(np.concatenate(points, axis=-1))

    def _places(self, points: NDArray[np.float64]) -> NDArray[np.int64]:
        """The place in which each point of a layer's line lies; one search for all layers."""
        lines = np.arange(self.target.layers)[:, None]
        found = np.searchsorted((self.ends + lines).ravel(), points + lines, side="right")
        return np.asarray(np.clip(found - lines * self.target.experts, 0, self.target.experts - 1))

    def _first_distinct(self, candidates: NDArray[np.int64]) -> NDArray[np.int64]:
        """Of each row the first top_k that differ; the places after the first where they end."""
        more = (candidates[..., :1] + np.arange(1, self.target.top_k)) % self.target.experts
        wanted = np.concatenate([candidates, more], axis=-1)
        turns = wanted.shape[-1]
        ranked = np.sort(wanted * turns + np.arange(turns), axis=-1)
        places = ranked // turns
        again = np.zeros(places.shape, bool)
        again[..., 1:] = places[..., 1:] == places[..., :-1]
        turn = np.where(again, turns, ranked % turns)
        first = np.argsort(turn, axis=-1)[..., : self.target.top_k]
        return np.asarray(np.take_along_axis(places, first, axis=-1))


def _matched(source: RoutingShape, target: RoutingShape) -> NDArray[np.int64]:
    """The recorded layer of each layer, [target layers]."""
    return np.arange(target.layers) * source.layers // target.layers


def _ends(
    shares: NDArray[np.float64], starts: NDArray[np.float64], experts: int
) -> NDArray[np.float64]:
    """Where each of so many experts ends on the line, [layers, experts], ascending.

    Each takes the share that its rank has in the recorded layer, and lies where the recorded
    expert of that rank does.
    """
    recorded = shares.shape[1]
    ranked = np.argsort(-shares, axis=1, kind="stable")
    curve = np.pad(np.take_along_axis(shares, ranked, axis=1).cumsum(axis=1), ((0, 0), (1, 0)))
    bounds = np.linspace(0, recorded, experts + 1)
    lengths = np.diff(np.stack([np.interp(bounds, np.arange(recorded + 1), c) for c in curve]))
    middle = ((bounds[:-1] + bounds[1:]) / 2).astype(np.int64)
    where = np.take_along_axis(starts, ranked[:, middle], axis=1)
    order = np.argsort(where, axis=1, kind="stable")
    return np.asarray(np.take_along_axis(lengths, order, axis=1).cumsum(axis=1))


def _part(hashes: NDArray[np.uint64], number: int) -> NDArray[np.float64]:
    """A number in [0, 1) of each hash, another one each time."""
    salt = np.full(1, number + 1, np.uint64) * _GOLDEN
    mixed = _mixed(hashes + salt)
    return np.asarray((mixed >> np.uint64(11)).astype(np.float64) * 2.0**-53)


def _mixed(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """SplitMix64's finish (Steele, Lea and Flood, 2014)."""
    values = (values ^ (values >> np.uint64(30))) * _FIRST
    values = (values ^ (values >> np.uint64(27))) * _SECOND
    return np.asarray(values ^ (values >> np.uint64(31)))
