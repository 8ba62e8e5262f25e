"""Plans whose functions gather rarely used experts of all layers.

Where every second awake is paid for, a function for each layer is woken by nearly every request;
one of experts that are rarely needed, and together, sleeps. The same formulas as `estimating`,
for the functions of all candidates at once, [functions, layers].
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from remoe_planner.billing import Billing
from remoe_planner.estimating.awake import asleep_share, awake_per_request, held_seconds
from remoe_planner.estimating.placed import Floats
from remoe_planner.latency.decode import decode_expert_seconds, remote_hits
from remoe_planner.latency.together import in_line, together
from remoe_planner.memory import GIB
from remoe_planner.planning.layer_options import SELDOM, WORTH_A_REPLICA, Amount
from remoe_planner.planning.ledger import Ledger, Scores
from remoe_planner.planning.placing import Candidate, place
from remoe_planner.planning.prefixes import Prefixes, PromptSums, StepSums, none_from
from remoe_planner.planning.problem import Problem
from remoe_planner.planning.ranges import Ranges
from remoe_planner.planning.shapes import SCALES, Shape, ranking, shapes_of


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Gathered:
    """Candidates that keep replicas by the same rule.

    Attributes:
        shapes: of the candidates.
        ranks: [layers, experts], of each expert by use.
        places: [places], experts of the ranking up to each place.
        sizes: [functions], bytes, candidate after candidate.
        kept: bool [functions].
        scores: of all candidates.
    """

    shapes: tuple[Shape, ...]
    ranks: NDArray[np.intp]
    places: NDArray[np.intp]
    sizes: Floats
    kept: NDArray[np.bool_]
    scores: Scores

    def candidate(self, problem: Problem, index: int) -> Candidate | None:
        """One of them as a placement; None where it does not fit what is on offer."""
        split = self.shapes[index].split
        before = sum(shape.split.functions for shape in self.shapes[:index])
        own = slice(before, before + split.functions)
        edges = self.places[list(split.edges)]
        # Of each place in the ranking; a look at a table is many times faster than a search.
        homes = np.zeros(self.ranks.size, np.intp)
        homes[: edges[-1]] = np.repeat(np.arange(1, len(edges)), np.diff(edges))
        placed = place(
            problem,
            homes[self.ranks],
            memory_bytes=self.sizes[own],
            min_replicas=self.kept[own],
            max_replicas=problem.offerings.max_replicas,
        )
        if placed is None:
            return None
        return Candidate(placed=placed, origin="By marginal cost, rarely used experts together")


def gathered(problem: Problem) -> tuple[Gathered, ...]:
    """The candidates, by when they keep a replica; none where no function holds an expert."""
    places = _places(problem)
    if len(places) < 2:
        return ()
    ranks = ranking(problem)
    counts = np.stack([np.searchsorted(row, places) for row in np.sort(ranks, axis=1)])
    prefixes = Prefixes.of(problem, counts, _sizes(problem))
    ranges = Ranges.of(problem, prefixes)
    shapes = shapes_of(problem, ranges, len(places))
    if not shapes:
        return ()
    model = _Model(problem, prefixes, ranges, shapes)
    # Where only computing is billed a kept replica is charged to nobody, and no plan keeps one.
    levels = KEPT[:1] if problem.offerings.billing is Billing.BUSY else KEPT
    return tuple(model.gathered(level, ranks, places) for level in levels)


def _places(problem: Problem) -> NDArray[np.intp]:
    """Places in the ranking where functions may begin or end."""
    experts = problem.architecture.expert_count
    room = problem.offerings.function_memory.most_bytes
    room -= problem.offerings.memory.function_working_bytes
    held = room // problem.architecture.expert_bytes
    if held < 1:
        return np.zeros(1, np.intp)
    # No stretch between two places may be more than a function holds.
    wanted = max(PLACES, min(2 * -(-experts // held), MOST_PLACES))
    return np.unique(np.linspace(0, experts, min(wanted, experts) + 1).round().astype(np.intp))


def _sizes(problem: Problem) -> Floats:
    """Sizes at which work is worked out; between them it is interpolated."""
    offerings, grid = problem.offerings, problem.offerings.function_memory
    measured = np.asarray(problem.profile.remote_expert.cores) / offerings.cores_per_gib * GIB
    spread = np.geomspace(grid.least_bytes, grid.most_bytes, SIZES)
    sizes = np.clip(np.concatenate([spread, measured]), grid.least_bytes, grid.most_bytes)
    return np.asarray(np.unique(sizes))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Prompt:
    """A chunk of a prompt, functions awake; all but local are [functions, layers].

    Attributes:
        local: [candidates, layers], seconds of the main model.
        calls: how many.
        call: seconds of calls beside the work.
        work: seconds until the busiest replica is done.
        whole: seconds of work of all replicas.
    """

    local: Floats
    calls: Floats
    call: Floats
    work: Floats
    whole: Floats


class _Model:
    """What every shape comes to; arrays are [functions, layers], candidate after candidate."""

    def __init__(
        self, problem: Problem, prefixes: Prefixes, ranges: Ranges, shapes: tuple[Shape, ...]
    ) -> None:
        self.problem, self.profile, self.prefixes = problem, problem.profile, prefixes
        self.shapes = shapes
        self.row_bytes = 2 * problem.architecture.hidden_size
        functions = np.array([shape.split.functions for shape in shapes])
        self.starts = np.concatenate([shape.split.edges[:-1] for shape in shapes])
        self.ends = np.concatenate([shape.split.edges[1:] for shape in shapes])
        self.last = np.array([shape.split.edges[-1] for shape in shapes])
        self.functions, self.first = functions, np.cumsum(functions) - functions
        self.candidates = np.repeat(np.arange(len(shapes)), functions)
        scales = np.array([SCALES[shape.scale] for shape in shapes])
        self.sizes = self._on_grid(
            ranges.memory_bytes[self.starts, self.ends], scales[self.candidates]
        )
        self.cores = problem.offerings.function_cores(self.sizes)
        self.below, self.above, self.share = self._neighbors()
        self.touched = ranges.touched[self.starts, self.ends]
        self.replicas = float(problem.offerings.max_replicas)
        self.ledger = Ledger(problem)
        self.longest = self._prompt(prefixes.longest)
        self.called = self._called()
        self._use()

    def _on_grid(self, needed: Floats, scales: Floats) -> Floats:
        grid = self.problem.offerings.function_memory
        steps = np.ceil((needed * scales - grid.least_bytes) / grid.step_bytes)
        sizes = grid.least_bytes + np.maximum(steps, 0) * grid.step_bytes
        return np.where(sizes <= grid.most_bytes, sizes, needed)

    def _neighbors(self) -> tuple[NDArray[np.intp], NDArray[np.intp], Floats]:
        """The known sizes on both sides of each function's, and how far it is from the first."""
        known = self.prefixes.cores
        below = np.clip(np.searchsorted(known, self.cores, side="right") - 1, 0, len(known) - 1)
        above = np.minimum(below + 1, len(known) - 1)
        # Sizes may have the same cores: where a bound, not memory, decides how many there are.
        step = known[above] - known[below]
        share = (self.cores - known[below]) / np.where(step > 0, step, 1.0)
        return below, above, np.clip(share, 0.0, 1.0)[:, None]

    def gathered(self, level: float, ranks: NDArray[np.intp], places: NDArray[np.intp]) -> Gathered:
        """The candidates whose functions keep a replica if they are needed as likely as this."""
        kept = self.touched >= level
        totals, starts = self._totals(kept)
        return Gathered(
            shapes=self.shapes,
            ranks=ranks,
            places=places,
            sizes=self.sizes,
            kept=kept,
            scores=self.ledger.score(totals, starts),
        )

    def _sum(self, values: Floats) -> Floats:
        """[candidates, ...] of their functions'."""
        return np.asarray(np.add.reduceat(values, self.first, axis=0))

    def _most(self, values: Floats) -> Floats:
        return np.asarray(np.maximum.reduceat(values, self.first, axis=0))

    def _between(self, values: Floats) -> Floats:
        """[functions, layers] of sums at the cuts, [layers, cuts]."""
        by_cut = np.ascontiguousarray(values.T)
        return np.asarray(by_cut[self.ends] - by_cut[self.starts])

    def _until(self, values: Floats) -> Floats:
        """[candidates, layers, ...] at the last edge, of [layers, cuts, ...]."""
        return np.asarray(values[:, self.last].swapaxes(0, 1))

    def _at_size(self, values: Floats, *, whole: bool = False) -> Floats:
        """Seconds at each function's size, [functions, layers].

        Args:
            values: at the cuts, [layers, cuts, sizes].
            whole: from the least used expert on, not from the function's own start.
        """
        by_cut = np.ascontiguousarray(values.transpose(1, 2, 0))
        low, high = by_cut[self.ends, self.below], by_cut[self.ends, self.above]
        if not whole:
            low -= by_cut[self.starts, self.below]
            high -= by_cut[self.starts, self.above]
        speed = (1 - self.share) / np.maximum(low, TINY) + self.share / np.maximum(high, TINY)
        return np.asarray(np.where(low > 0, 1 / speed, 0.0))

    def _called(self) -> Floats:
        """Probability that a token needs each function in each layer."""
        whole = list(self.prefixes.all_powers[..., 0])
        powers = zip(self.prefixes.powers, whole, strict=True)
        outside = [np.maximum(every - self._between(power), 0.0) for power, every in powers]
        return 1 - none_from(outside, whole)

    def _use(self) -> None:
        """Work out the totals that are the same whatever is kept, and what is billed."""
        work = self.problem.workload
        own = work.output_tokens / work.concurrency
        chunks, typical = self.prefixes.typical.chunks, self._prompt(self.prefixes.typical)
        step, step_busy, step_calls, spread = self._decode()
        counts = self.prefixes.counts.sum(axis=0)
        totals = np.zeros((len(Amount), len(self.shapes)))
        totals[Amount.PREFILL] = chunks * self._prompt_seconds(typical)
        totals[Amount.DECODE] = step
        totals[Amount.LOCAL_EXPERTS] = self.problem.architecture.expert_count - counts[self.last]
        totals[Amount.FUNCTIONS] = self.functions
        longest = self.prefixes.longest.chunks
        totals[Amount.LONG_PREFILL] = longest * self._prompt_seconds(self.longest)
        totals[Amount.LONG_CALLS] = longest * self._sum(self.longest.calls.sum(axis=1))
        totals[Amount.STEP_CALLS] = self._sum(step_calls)
        totals[Amount.SPREAD] = spread
        self.totals = totals
        self.busy_seconds = chunks * typical.whole.sum(axis=1) + own * step_busy
        self.calls = chunks * typical.calls.sum(axis=1) + own * step_calls

    def _totals(self, kept: NDArray[np.bool_]) -> tuple[Floats, Floats]:
        """Totals, and until the functions that are likely to sleep have started, [candidates]."""
        totals = self.totals.copy()
        cost, asleep = self._billed(kept, self.ledger.span_seconds(totals))
        needed = asleep * self.touched
        rest = 1 - self.problem.slo.percentile
        least = np.minimum(rest, self._most(needed))[self.candidates]
        sleeping = needed >= np.maximum(least, TINY)
        totals[Amount.FUNCTION_COST] = cost
        totals[Amount.COLD_PREFILL] = self._cold(sleeping)
        totals[Amount.LOG_AWAKE] = self._sum(np.log1p(-np.minimum(needed, 1 - 1e-12)))
        return totals, self._most(np.where(sleeping, self._starts(), 0.0))

    def _starts(self) -> Floats:
        """Cold start of each function."""
        counts = self.prefixes.counts.sum(axis=0)
        experts = (counts[self.ends] - counts[self.starts]).astype(np.float64)
        start = self.profile.function_start
        weights = experts * self.problem.architecture.expert_bytes
        return np.asarray(start.seconds + weights / start.bytes_per_second)

    def _cold(self, sleeping: NDArray[np.bool_]) -> Floats:
        """Seconds of the longest prompt where main computes for those that sleep."""
        if not sleeping.any():
            return np.asarray(self.totals[Amount.LONG_PREFILL])
        sums, awake = self.prefixes.longest, ~sleeping[:, None]
        here = self._sum(self._between(-sums.local) * sleeping[:, None])
        there = _Prompt(
            local=self.longest.local + here,
            calls=self.longest.calls * awake,
            call=self.longest.call * awake,
            work=self.longest.work * awake,
            whole=self.longest.whole,
        )
        return sums.chunks * self._prompt_seconds(there) + self._borrowing(sleeping)

    def _borrowing(self, sleeping: NDArray[np.bool_]) -> Floats:
        hit = self._between(self.prefixes.longest.hit).sum(axis=1)
        weights = self._sum(hit * sleeping) * self.problem.architecture.expert_bytes
        return np.asarray(weights / self.profile.main_start.bytes_per_second)

    def _prompt(self, sums: PromptSums) -> _Prompt:
        profile, payload = self.profile, self.problem.offerings.payload_bytes
        asked = self._between(sums.asked)
        whole = self._at_size(sums.work)
        hit = -np.expm1(-asked)
        split = np.minimum(self.replicas, np.maximum(np.ceil(asked / WORTH_A_REPLICA), 1))
        if payload:
            split = np.maximum(split, np.ceil(asked * self.row_bytes / payload))
        parallel = np.minimum(split, self.replicas)
        travel = 2 * asked * self.row_bytes / profile.call.bytes_per_second / parallel
        call = hit * np.ceil(split / self.replicas) * profile.call.mean_seconds + travel
        # The longest expert of a stretch is that of all before its end, nearly always.
        longest = np.where(whole > 0, self._at_size(sums.longest, whole=True), 0.0)
        return _Prompt(
            local=self._until(sums.local),
            calls=hit * split,
            call=call,
            work=np.maximum(whole / parallel, np.minimum(longest, whole)),
            whole=whole,
        )

    def _prompt_seconds(self, chunk: _Prompt) -> Floats:
        """Of one chunk, [candidates]."""
        seconds = self._together(chunk.local, chunk.calls, chunk.call, chunk.work)
        return np.asarray(seconds.sum(axis=1))

    def _together(self, local: Floats, calls: Floats, call: Floats, work: Floats) -> Floats:
        """[candidates, layers] of local work beside calls to functions."""
        alone = self._most(call + work)
        line = float(in_line(self.profile, 0.0))
        remote = np.maximum(alone, self._most(call) + line * self._sum(work)) if line else alone
        wire = self.profile.call.main_seconds * self._sum(calls)
        return together(self.profile, local + wire, remote)

    def _decode(self) -> tuple[Floats, Floats, Floats, Floats]:
        """Seconds and spread [candidates]; billed seconds and calls, [functions]."""
        steps = [self._step(sums) for sums in self.prefixes.steps]
        if len(steps) == 1:
            return steps[0]
        share = self.problem.workload.concurrency - self.prefixes.steps[0].rows
        few, more = steps
        seconds, busy, calls, spread = (
            (1 - share) * one + share * other for one, other in zip(few, more, strict=True)
        )
        return seconds, busy, calls, spread

    def _step(self, sums: StepSums) -> tuple[Floats, Floats, Floats, Floats]:
        profile, picked = self.profile, self._between(self.prefixes.picked)
        called = 1 - (1 - self.called) ** sums.rows if sums.rows > 1 else self.called
        work = self._at_size(sums.work)
        if sums.rows == 1:
            seconds, spread = self._one_row(picked, called)
        else:
            travel = 2 * picked * sums.rows * self.row_bytes / profile.call.bytes_per_second
            call = called * profile.call.mean_seconds + travel
            seconds = self._together(self._until(sums.local), called, call, work)
            spread = np.zeros_like(seconds)
        return seconds.sum(axis=1), work.sum(axis=1), called.sum(axis=1), spread.sum(axis=1)

    def _one_row(self, picked: Floats, called: Floats) -> tuple[Floats, Floats]:
        """Seconds, and one standard deviation of them, [candidates, layers]."""
        total = self._sum(picked)
        share = picked / np.maximum(total, TINY)[self.candidates]
        hits = self._until(self.prefixes.hits)
        some = 1 - hits[..., 0]
        calls = np.where(some > 0, self._sum(called) / np.where(some > 0, some, 1.0), 1.0)
        cores = np.where(total > 0, self._sum(share * self.cores[:, None]), 1.0)
        concentration = self._sum(share**2)

        def of(hits: Floats) -> Floats:
            return decode_expert_seconds(
                self.profile,
                row_bytes=self.row_bytes,
                hits=hits,
                function_cores=cores,
                concentration=concentration,
                calls=calls,
            ).total

        top_k = self.problem.architecture.top_k
        mean = total / top_k
        more = mean + self._until(self.prefixes.spread)
        return of(hits), np.abs(of(remote_hits(more, top_k)) - of(remote_hits(mean, top_k)))

    def _billed(self, kept: NDArray[np.bool_], span: Floats) -> tuple[Floats, Floats]:
        """Cost of functions and calls [candidates], and how likely each function sleeps."""
        offerings, rate = self.problem.offerings, self.problem.workload.requests_per_second
        prices, starts = offerings.prices, self._starts()
        busy, calls = self.busy_seconds, self.calls
        asked = np.maximum(self.touched, SELDOM)
        held = held_seconds(
            calls / asked, span[self.candidates], offerings.function_keep_alive_seconds
        )
        held = np.maximum(held, busy / asked)
        asleep = asleep_share(rate * self.touched, held, starts)
        price = self.sizes / GIB * prices.function_gib_second
        fees = self._sum(calls) * prices.call
        if offerings.billing is Billing.BUSY:
            return self._sum(busy * price) + fees, np.where(kept, 0.0, asleep)
        woken = self.touched * awake_per_request(rate * self.touched, held, starts)
        always = 1 / rate if rate else 0.0
        seconds = np.where(kept, always, woken)
        return self._sum(seconds * price) + fees, np.where(kept, 0.0, asleep)


TINY = 1e-300
PLACES = 24
MOST_PLACES = 128
SIZES = 8
KEPT = (2.0, 0.5, 0.0)
