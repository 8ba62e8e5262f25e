"""Sums over the least used experts of each layer, for every number of them that is looked at.

Each number is a cut. What a function does follows from the sums of its experts alone, so tables
of all options need no pass over experts of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from remoe_planner.estimating.given import PromptWork, Samples, StepWork
from remoe_planner.estimating.placed import Floats
from remoe_planner.latency.picks import elementary, symmetric
from remoe_planner.planning.problem import Problem


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PromptSums:
    """Prefill of one length of prompt.

    Attributes:
        chunks: full chunks, a rest as a share of one; what follows is of one chunk.
        tokens: of a chunk: a row travels once, however many of a function's experts it visits.
        asked: [layers, cuts], rows at the remote experts.
        local: [layers, cuts], seconds of the experts that stay.
        work: [layers, cuts, sizes], seconds of the remote ones in functions of these sizes.
        longest: [layers, cuts, sizes], of the longest of them.
        hit: [layers, cuts], remote experts that the whole prompt needs.
    """

    chunks: float
    tokens: int
    asked: Floats
    local: Floats
    work: Floats
    longest: Floats
    hit: Floats


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StepSums:
    """A decode step of so many requests.

    Attributes:
        rows: requests decoded together.
        local: [layers, cuts], seconds of the experts that stay.
        work: [layers, cuts, sizes], seconds of the remote ones.
    """

    rows: int
    local: Floats
    work: Floats


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Prefixes:
    """All sums for one choice of cuts and sizes.

    Attributes:
        counts: int [layers, cuts], remote experts; the first cut is none.
        sizes: [sizes], bytes of functions.
        cores: [sizes], that come with them.
        picked: [layers, cuts], picks of one generated token.
        squares: [layers, cuts], sum of the squares of each expert's.
        powers: [top_k, layers, cuts], power sums of their odds (`latency.picks`).
        all_powers: [top_k, layers, 1], of all experts of a layer.
        counted: [samples, layers, cuts], assignments of sampled requests on them.
        kept_share: [samples], of a sample's tokens that a typical request has.
        missing_share: [samples], of a typical request's tokens that the sample lacks.
        rates: [layers, cuts], touches expected of a typical request.
        hits: [layers, cuts, top_k + 1], probability of r such picks.
        spread: [layers, cuts], standard deviation of their share from request to request.
        typical: prefill of a typical prompt.
        longest: prefill of the longest prompt.
        steps: decode steps of the numbers of requests on both sides of the mean.
        full: a decode step of as many requests as there can be.
    """

    counts: NDArray[np.intp]
    sizes: Floats
    cores: Floats
    picked: Floats
    squares: Floats
    powers: Floats
    all_powers: Floats
    counted: Floats
    kept_share: Floats
    missing_share: Floats
    rates: Floats
    hits: Floats
    spread: Floats
    typical: PromptSums
    longest: PromptSums
    steps: tuple[StepSums, ...]
    full: StepSums

    @classmethod
    def of(cls, problem: Problem, counts: NDArray[np.intp], sizes: Floats) -> Self:
        """The sums for these cuts, int [layers, cuts], and these sizes."""
        reader, given = _Reader(problem, counts, sizes), problem.given
        counted, kept, missing = reader.samples()
        powers, all_powers = reader.powers()
        steps = tuple(map(reader.step, given.steps))
        return cls(
            counts=counts,
            sizes=sizes,
            cores=reader.cores,
            picked=reader.cut(reader.ordered(given.visits)),
            squares=reader.cut(reader.ordered(given.visits**2)),
            powers=powers,
            all_powers=all_powers,
            counted=counted,
            kept_share=kept,
            missing_share=missing,
            rates=reader.cut(reader.ordered(given.touches)),
            hits=picks_from(powers, all_powers),
            spread=reader.spread(counted),
            typical=reader.prompt(given.typical),
            longest=reader.prompt(given.longest),
            steps=steps,
            full=reader.full_step(given.step(problem.rows.full), steps[-1]),
        )

    def local_step(self, concurrency: float) -> Floats:
        """[layers, cuts], seconds of the experts that stay in the mean decode step."""
        few, more = self.steps[0], self.steps[-1]
        return few.local + (concurrency - few.rows) * (more.local - few.local)

    def touched(self) -> Floats:
        """[layers, cuts], probability that a typical request needs any of them."""
        return touched_from(self.counted, self.rates, self.kept_share, self.missing_share)


class _Reader:
    """Sums at the cuts of values in the order of use."""

    def __init__(self, problem: Problem, counts: NDArray[np.intp], sizes: Floats) -> None:
        self.problem = problem
        self.counts = counts
        self.cores = problem.offerings.function_cores(sizes)
        self.drawn = np.ones(0)
        layers, experts = problem.order.shape
        self.layers = np.arange(layers)[:, None]
        # One more value, since a cut after the last expert is no place of its own.
        self.places = np.append((problem.order + experts * self.layers).ravel(), 0)
        self.starts = (counts + experts * self.layers).ravel()
        self.apart = np.diff(counts, axis=1) > 0
        self.knots = self._knots()
        # One row for each knot: what it weighs at every size.
        ends = np.eye(len(self.knots))
        self.weights = np.stack([np.interp(self.cores, self.knots, row) for row in ends])
        # Cores below the fewest measured are a share of them, and of their speed.
        self.weights[0] *= np.minimum(self.cores / self.knots[0], 1.0)

    def _knots(self) -> Floats:
        """Numbers of cores for which sums are worked out; they are interpolated between them."""
        known = np.array(self.problem.profile.remote_expert.cores)
        # More cores than were measured gain nothing.
        few, many = np.clip([self.cores.min(), self.cores.max()], known[0], known[-1])
        inside = np.concatenate([known, (known[1:] + known[:-1]) / 2])
        inside = inside[(inside > few) & (inside < many)]
        return np.unique(np.concatenate([[few, many], inside]))

    def ordered(self, values: Floats) -> Floats:
        """[layers * experts + 1] of each expert, the least used of each layer first."""
        return np.asarray(values.ravel()[self.places])

    def cut(self, ordered: Floats) -> Floats:
        """[layers, cuts] sums over the least used."""
        between = np.add.reduceat(ordered, self.starts).reshape(self.counts.shape)[:, :-1]
        sums = np.zeros(self.counts.shape)
        # Between equal cuts is nothing, where `reduceat` gives the next value.
        np.cumsum(between * self.apart, axis=1, out=sums[:, 1:])
        return sums

    def _whole(self, ordered: Floats) -> Floats:
        """[layers, 1] sums over all experts."""
        return np.asarray(ordered[:-1].reshape(len(self.counts), -1).sum(axis=1, keepdims=True))

    def powers(self) -> tuple[Floats, Floats]:
        """Power sums of the odds, of the cuts and of whole layers, [top_k, layers, cuts or one]."""
        chance = np.clip(self.ordered(self.problem.given.visits), 0.0, MOST_CERTAIN)
        odds, power = chance / (1 - chance), np.ones_like(chance)
        inside, whole = [], []
        for _ in range(self.problem.architecture.top_k):
            power = power * odds
            inside.append(self.cut(power))
            whole.append(self._whole(power))
        return np.stack(inside), np.stack(whole)

    def prompt(self, asked: PromptWork) -> PromptSums:
        rows = self.ordered(asked.rows)
        work, longest = self._remote(asked, self._busiest(rows))
        return PromptSums(
            chunks=asked.chunks,
            tokens=asked.chunk_tokens,
            asked=self.cut(rows),
            local=self._stays(asked.local),
            work=self._at_sizes(work),
            longest=self._at_sizes(longest),
            hit=self.cut(self.ordered(asked.hit)),
        )

    def step(self, asked: StepWork) -> StepSums:
        if asked.requests == 1:
            return self._one_request()
        work, _ = self._remote(asked, self.counts)
        return StepSums(
            rows=asked.requests,
            local=self._stays(asked.local),
            work=self._at_sizes(work),
        )

    def full_step(self, asked: StepWork, known: StepSums) -> StepSums:
        """A step of many requests from one of few: on all cores it takes so many times as long.

        How much longer is told on one number of cores; the filter of candidates lives by it alone.
        """
        if asked.requests == known.rows:
            return known
        middle = len(self.cores) // 2
        seconds = self.cut(asked.remote.ordered(self.places).seconds_on(float(self.cores[middle])))
        times = seconds / np.maximum(known.work[..., middle], TINY)
        return StepSums(
            rows=asked.requests,
            local=self._stays(asked.local),
            work=known.work * times[..., None],
        )

    def _stays(self, values: Floats) -> Floats:
        """Sums over the experts that are not among the least used."""
        ordered = self.ordered(values)
        return self._whole(ordered) - self.cut(ordered)

    def _busiest(self, rows: Floats) -> NDArray[np.intp]:
        """[layers, cuts], which of the least used has the most rows, counted from 1; 0 of none."""
        own = rows[:-1].reshape(len(self.counts), -1)
        most = own >= np.maximum.accumulate(own, axis=1)
        numbers = np.where(most, np.arange(1, own.shape[1] + 1), 0)
        numbers = np.maximum.accumulate(numbers, axis=1)
        return np.where(self.counts > 0, numbers[self.layers, self.counts - 1], 0)

    def _remote(
        self, asked: PromptWork | StepWork, busiest: NDArray[np.intp]
    ) -> tuple[Floats, Floats]:
        """Seconds in functions, and of the busiest expert alone, [knots, layers, cuts].

        More rows take longer on any number of cores, so the busiest expert is the longest.
        """
        remote = asked.remote.ordered(self.places)
        work = np.empty((len(self.knots), *self.counts.shape))
        longest = np.zeros_like(work)
        experts = self.problem.order.shape[1]
        busy = np.maximum(busiest - 1, 0) + experts * self.layers
        for place, cores in enumerate(self.knots.tolist()):
            seconds = remote.seconds_on(cores)
            work[place] = self.cut(seconds)
            longest[place] = np.where(busiest > 0, seconds[busy], 0.0)
        return work, longest

    def _at_sizes(self, seconds: Floats) -> Floats:
        """[layers, cuts, sizes], of seconds [knots, layers, cuts]."""
        # Speeds lie on straight lines between measured cores, and those of sums nearly do.
        speeds = np.moveaxis(1 / np.maximum(seconds, TINY), 0, -1)
        some = seconds[-1][..., None] > 0
        return np.asarray(np.where(some, 1 / (speeds @ self.weights), 0.0))

    def _one_request(self) -> StepSums:
        profile, visits = self.problem.profile, self.problem.given.visits
        one = profile.remote_expert.seconds(1.0, self.cores)
        local = profile.local_expert.seconds(1.0, profile.main_cores)
        picked = self.cut(self.ordered(visits))
        return StepSums(rows=1, local=self._stays(visits) * local, work=picked[..., None] * one)

    def samples(self) -> tuple[Floats, Floats, Floats]:
        """Counts of sampled requests on every cut; how their lengths differ from the typical."""
        work, samples = self.problem.workload, self.problem.given.samples
        if len(samples.tokens) < ENOUGH_SAMPLES:
            return np.zeros((0, *self.counts.shape)), np.zeros(0), np.zeros(0)
        lengths = samples.tokens
        tokens = work.prompt_tokens + work.output_tokens
        kept = np.minimum(tokens / np.maximum(lengths, 1), 1.0)
        self.drawn = np.maximum(lengths * self.problem.architecture.top_k, 1)
        return self._counted(samples), kept, np.maximum(1 - lengths / tokens, 0)

    def spread(self, counted: Floats) -> Floats:
        """Standard deviation of the cuts' shares from request to request, [layers, cuts]."""
        if not len(counted):
            return np.zeros(self.counts.shape)
        drawn = self.drawn[:, None, None]
        return np.asarray((counted / drawn).std(axis=0))

    def _counted(self, samples: Samples) -> Floats:
        """Assignments of each sample on the experts of each cut, [samples, layers, cuts]."""
        layers, cuts = self.counts.shape
        experts = self.problem.order.shape[1]
        # [layers, cuts], experts from each cut to the next, after the last one to the end.
        widths = np.diff(self.counts, axis=1, append=experts)
        ordered = np.repeat(np.arange(layers * cuts), widths.ravel()).reshape(layers, experts)
        stretches = np.empty_like(ordered)
        np.put_along_axis(stretches, self.problem.order, ordered, axis=1)
        between = samples.by_group(stretches, layers * cuts).reshape(layers, cuts, -1)
        counted = np.zeros_like(between, np.float64)
        np.cumsum(between[:, :-1], axis=1, out=counted[:, 1:])
        return np.ascontiguousarray(counted.transpose(2, 0, 1))


def picks_from(inside: Floats, whole: Floats) -> Floats:
    """Probability of r picks in a group, [..., top_k + 1], from power sums of odds.

    Args:
        inside: [top_k, ...], of the group.
        whole: the same of its layer.
    """
    outside = np.maximum(whole - inside, 0.0)
    ways = symmetric(list(inside)) * symmetric(list(outside))[..., ::-1]
    return np.asarray(ways / np.maximum(ways.sum(axis=-1, keepdims=True), TINY))


def none_from(outside: Sequence[Floats], whole: Sequence[Floats]) -> Floats:
    """Probability that no pick falls on a group, [...], from power sums of odds.

    Args:
        outside: for each power, [...], of the layer's experts that are not in the group.
        whole: for each power, of all of them.
    """
    every = elementary(whole)[-1]
    return np.asarray(np.minimum(elementary(outside)[-1] / np.maximum(every, TINY), 1.0))


def touched_from(counted: Floats, rates: Floats, kept: Floats, missing: Floats) -> Floats:
    """Probability that a typical request needs any expert of a group, [...].

    Args:
        counted: [samples, ...], assignments of sampled requests on the group.
        rates: [...], touches that independent draws expect.
        kept: [samples], share of a longer sample's tokens that a typical request has.
        missing: [samples], share of a typical request's tokens that a shorter sample lacks.
    """
    if not len(counted):
        return -np.expm1(-rates)
    shape = (-1, *(1,) * rates.ndim)
    with np.errstate(divide="ignore", invalid="ignore"):
        thinned = np.where(counted > 0, counted * np.log1p(-kept.reshape(shape)), 0.0)
    thinned -= missing.reshape(shape) * rates
    return np.asarray(1 - np.exp(thinned, out=thinned).mean(axis=0))


TINY = 1e-300
ENOUGH_SAMPLES = 16
MOST_CERTAIN = 0.95
