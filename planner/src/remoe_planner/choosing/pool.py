"""Candidate picks that do not depend on what is promised, so that a looser promise only adds some.

Each set of weights has its best picks, layer by layer (Lagrangian relaxation). The layers are
dealt into groups, and every group may follow another set of weights: that fills the gaps between
the picks on the convex hull, which are all that weights alone can reach.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from remoe_planner.choosing.choices import Choices


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolKnobs:
    """How many candidates there are.

    Attributes:
        combinations: candidates of one dealing at most.
        many_layers: the same where layers are more than few: each of them is a small step then.
        fewest_groups: into how many groups the layers are dealt at least; there is a dealing for
            each number from here on, until one has more combinations than are taken.
        few_layers: up to which number of layers picks with one layer changed are candidates too;
            with more layers one of them is a small step.
    """

    combinations: int = 60_000
    many_layers: int = 16_000
    fewest_groups: int = 2
    few_layers: int = 12

    def __post_init__(self) -> None:
        for name in ("combinations", "many_layers", "fewest_groups", "few_layers"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be >= 1, got {getattr(self, name)}")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Dealing:
    """Candidates as every combination of the groups' picks.

    Attributes:
        picks: of each group, [n, layers of the group].
        members: of each group, its layers.
        totals: [amounts, candidates], in row-major order of the groups' picks.
    """

    picks: tuple[NDArray[np.intp], ...]
    members: tuple[NDArray[np.intp], ...]
    totals: NDArray[np.float64]

    def picks_of(self, candidate: int) -> NDArray[np.intp]:
        """[layers], the picks of one candidate."""
        shape = tuple(len(picks) for picks in self.picks)
        chosen = np.unravel_index(candidate, shape)
        picks = np.empty(sum(map(len, self.members)), np.intp)
        for group, layers, row in zip(self.picks, self.members, chosen, strict=True):
            picks[layers] = group[row]
        return picks


def deal(choices: Choices, picks: NDArray[np.intp], knobs: PoolKnobs) -> Iterator[Dealing]:
    """Every dealing of the knobs, for best picks [n, layers] in the order of their weights."""
    first = min(knobs.fewest_groups, choices.layers)
    combinations = knobs.combinations if choices.layers <= knobs.few_layers else knobs.many_layers
    for count in range(first, choices.layers + 1):
        members = tuple(np.arange(start, choices.layers, count) for start in range(count))
        chosen = [_distinct(picks[:, layers]) for layers in members]
        whole = float(np.prod([float(len(rows)) for rows in chosen]))
        if whole > combinations:
            most = max(int(combinations ** (1 / count) + 1e-9), 1)
            chosen = [_thinned(rows, most) for rows in chosen]
        taken = tuple(chosen)
        yield Dealing(picks=taken, members=members, totals=_sums(choices, taken, members))
        if whole > combinations:
            break
    if choices.layers <= knobs.few_layers:
        yield from _changed_by_one(choices, _distinct(picks), knobs)


def _changed_by_one(
    choices: Choices, picks: NDArray[np.intp], knobs: PoolKnobs
) -> Iterator[Dealing]:
    """Best picks with every option of one layer: what no weights alone can reach."""
    _, layers, options = choices.amounts.shape
    rows = _thinned(picks, max(knobs.combinations // (layers * options), 1))
    every = np.arange(options)[:, None]
    for layer in range(layers):
        others = np.delete(np.arange(layers), layer)
        taken, members = (_distinct(rows[:, others]), every), (others, np.array([layer]))
        yield Dealing(picks=taken, members=members, totals=_sums(choices, taken, members))


def alike(choices: Choices) -> Dealing:
    """The same option in every layer, as the paper has it."""
    _, layers, options = choices.amounts.shape
    picks = np.repeat(np.arange(options)[:, None], layers, axis=1)
    members = (np.arange(layers),)
    return Dealing(picks=(picks,), members=members, totals=_sums(choices, (picks,), members))


def completed(choices: Choices, picks: NDArray[np.intp]) -> Dealing:
    """Picks of all layers but the last, [n, layers - 1], with every option of the last."""
    last = choices.layers - 1
    members = (np.arange(last), np.array([last]))
    taken = (picks, np.arange(choices.amounts.shape[2])[:, None])
    return Dealing(picks=taken, members=members, totals=_sums(choices, taken, members))


def _distinct(picks: NDArray[np.intp]) -> NDArray[np.intp]:
    """Distinct rows, in the order of their first appearance."""
    # One number for a row is sorted many times faster than the row.
    keys = picks.astype(np.int64) @ _SCATTER[: picks.shape[1]]
    _, first = np.unique(keys, return_index=True)
    return np.asarray(picks[np.sort(first)])


def _thinned(picks: NDArray[np.intp], most: int) -> NDArray[np.intp]:
    """Evenly spaced rows where there are too many."""
    if len(picks) <= most:
        return picks
    return np.asarray(picks[np.linspace(0, len(picks) - 1, most).round().astype(int)])


def _sums(
    choices: Choices, picks: tuple[NDArray[np.intp], ...], members: tuple[NDArray[np.intp], ...]
) -> NDArray[np.float64]:
    amounts = choices.amounts
    total = np.zeros((len(amounts), 1))
    for rows, layers in zip(picks, members, strict=True):
        part = amounts[:, layers, rows].sum(axis=-1)
        total = (total[:, :, None] + part[:, None, :]).reshape(len(amounts), -1)
    return total


_SCATTER = np.random.default_rng(7).integers(1, 1 << 40, 4096)
"""So large that two rows hardly ever come to the same; one of them would be left out then."""
