"""What a workload asks of a placement: visits, picks and touches, as arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from remoe_planner.estimating.given import Given, Samples
from remoe_planner.estimating.placed import Floats, Placed
from remoe_planner.latency.busiest import meeting_chance
from remoe_planner.latency.picks import none_of_sums, odds_powers, picks_of_sums, power_sums

_ENOUGH_SAMPLES = 16
_TINY = 1e-30


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Picks:
    """Where a layer's picks of one token fall.

    Attributes:
        hits: [layers, top_k + 1], probability of r remote picks.
        called: [layers, functions], probability that each function has any of them.
        rows: [layers, functions], expected picks of each.
        concentration: [layers], the chance that two remote picks lie in the same function.
        calls: [layers], functions called where any is, expected.
        cores: [layers], cores of the functions, weighted by their picks.
    """

    hits: Floats
    called: Floats
    rows: Floats
    concentration: Floats
    calls: Floats
    cores: Floats


def picks_of(placed: Placed, visits: Floats, powers: Floats | None = None) -> Picks:
    """The picks of one token whose visits to the experts have these probabilities.

    Args:
        placed: the placement.
        visits: [layers, experts].
        powers: their `odds_powers` where they are known.
    """
    if powers is None:
        powers = odds_powers(visits, placed.architecture.top_k)
    sums = power_sums(powers, placed.homes, placed.functions + 1)
    hits = picks_of_sums(sums[:, 1:].sum(axis=1), sums[:, 0])
    rows = placed.by_function(visits)
    called = _called(sums, rows, hits)
    total = rows.sum(axis=1)
    share = np.divide(rows, total[:, None], out=np.zeros_like(rows), where=total[:, None] > 0)
    remote = np.where(placed.homes > 0, visits, 0.0)
    squares = (remote**2).sum(axis=1) / np.maximum(total, _TINY) ** 2
    some = 1 - hits[:, 0]
    return Picks(
        hits=hits,
        called=called,
        rows=rows,
        concentration=meeting_chance((share**2).sum(axis=1), squares),
        calls=np.divide(called.sum(axis=1), some, out=np.ones_like(some), where=some > 0),
        cores=np.where(total > 0, (share * placed.cores).sum(axis=1), 1.0),
    )


def _called(sums: Floats, rows: Floats, hits: Floats) -> Floats:
    """Probability that a token needs each function in each layer, [layers, functions]."""
    in_layer = rows > 0
    if np.all(in_layer.sum(axis=1) <= 1):
        return np.where(in_layer, 1 - hits[:, :1], 0.0)
    whole = sums.sum(axis=1, keepdims=True)
    return 1 - none_of_sums(np.maximum(whole - sums[:, 1:], 0.0), whole)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sampled:
    """What recorded requests used of a placement.

    Attributes:
        counts: [samples, layers, functions + 1], assignments by home; 0 is local.
        tokens: [samples], of each of them.
    """

    counts: Floats
    tokens: Floats

    @property
    def remote_shares(self) -> Floats:
        """Share of each sample's assignments on remote experts, [samples, layers]."""
        total = self.counts.sum(axis=2)
        local = np.divide(self.counts[:, :, 0], total, out=np.ones_like(total), where=total > 0)
        return np.asarray(1 - local)


def sampled(placed: Placed, samples: Samples) -> Sampled:
    """What samples used of a placement."""
    layers, homes = len(placed.homes), placed.functions + 1
    counts = samples.by_group(placed.places, layers * homes).astype(np.float64)
    counts = counts.reshape(layers, homes, len(samples.tokens))
    return Sampled(counts=counts.transpose(2, 0, 1), tokens=samples.tokens)


def touch_probability(placed: Placed, given: Given, samples: Sampled) -> Floats:
    """Probability that a typical request needs each function at all, [functions].

    Told from recorded requests where there are enough, since the experts that one request uses
    are no independent draws; a longer record is thinned out to the request's length (rarefaction),
    a shorter one is drawn on. From independent draws otherwise.
    """
    tokens = given.workload.prompt_tokens + given.workload.output_tokens
    touches = placed.by_function(given.touches).sum(axis=0)
    if len(samples.tokens) < _ENOUGH_SAMPLES:
        return np.asarray(-np.expm1(-touches))
    rates = touches / tokens
    counts = samples.counts[:, :, 1:].sum(axis=1)
    kept = np.minimum(tokens / np.maximum(samples.tokens, 1), 1.0)[:, None]
    more = np.maximum(tokens - samples.tokens, 0)[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        thinned = np.where(counts > 0, counts * np.log1p(-kept), 0.0)
    return np.asarray(-np.expm1(thinned - more * rates).mean(axis=0))
