"""Plans whose functions gather rarely used experts of all layers.

Where every second awake is paid for, a function for each layer is woken by nearly every request;
one of experts that are rarely needed, and together, sleeps. The same formulas as `estimating`,
for all candidates at once, [candidates, layers, functions].
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from remoe_planner.billing import Billing
from remoe_planner.estimating.awake import asleep_share, awake_per_request, held_seconds
from remoe_planner.latency.decode import decode_expert_seconds, remote_hits
from remoe_planner.latency.together import in_line, together
from remoe_planner.memory import GIB
from remoe_planner.planning.layer_options import SELDOM, WORTH_A_REPLICA, Amount
from remoe_planner.planning.ledger import Ledger, Scores
from remoe_planner.planning.placing import Candidate, place
from remoe_planner.planning.prefixes import Floats, Prefixes, PromptSums, StepSums, none_from
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
        sizes: [candidates, functions], bytes, 0 beyond a candidate's functions.
        kept: bool [candidates, functions].
        scores: of all of them.
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
        edges = self.places[list(split.edges)]
        ranks = self.ranks
        numbers = np.searchsorted(edges, ranks, side="right")
        homes = np.where(ranks < edges[-1], numbers, 0)
        placed = place(
            problem,
            homes,
            memory_bytes=self.sizes[index, : split.functions],
            min_replicas=self.kept[index, : split.functions],
            max_replicas=problem.offerings.max_replicas,
        )
        if placed is None:
            return None
        return Candidate(placed=placed, origin="By marginal cost, rarely used experts together")


def gathered(problem: Problem) -> tuple[Gathered, ...]:
    """The candidates, by how many functions they have; none where no function holds an expert."""
    places = _places(problem)
    if len(places) < 2:
        return ()
    ranks = ranking(problem)
    counts = np.stack([np.searchsorted(row, places) for row in np.sort(ranks, axis=1)])
    multiples = _sizes(problem)
    prefixes = Prefixes.of(problem, counts, multiples)
    ranges = Ranges.of(problem, prefixes)
    alike: dict[int, list[Shape]] = {}
    for shape in shapes_of(problem, ranges, len(places)):
        # Arrays are as wide as the most functions: those of about as many go together.
        alike.setdefault(shape.split.functions.bit_length() // 2, []).append(shape)
    # Where only computing is billed a kept replica is charged to nobody, and no plan keeps one.
    levels = KEPT[:1] if problem.offerings.billing is Billing.BUSY else KEPT
    models = [
        _Model(problem, prefixes, ranges, ranks, places, tuple(some)) for some in alike.values()
    ]
    return tuple(model.gathered(level) for model in models for level in levels)


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
    """A chunk of a prompt, functions awake; all but local are [candidates, functions, layers].

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
    """What every shape comes to; arrays are [candidates, functions, layers]."""

    def __init__(
        self,
        problem: Problem,
        prefixes: Prefixes,
        ranges: Ranges,
        ranks: NDArray[np.intp],
        places: NDArray[np.intp],
        shapes: tuple[Shape, ...],
    ) -> None:
        self.problem, self.profile, self.prefixes = problem, problem.profile, prefixes
        self.shapes, self.ranks, self.places = shapes, ranks, places
        self.row_bytes = 2 * problem.architecture.hidden_size
        most = max(a.split.functions for a in shapes)
        edges = np.array([_padded(a.split.edges, most + 1) for a in shapes])
        self.starts, self.ends, self.last = edges[:, :-1], edges[:, 1:], edges[:, -1]
        self.there = self.ends > self.starts
        scales = np.array([SCALES[a.scale] for a in shapes])[:, None]
        self.sizes = self._on_grid(ranges.memory_bytes[self.starts, self.ends], scales)
        self.cores = problem.offerings.function_cores(self.sizes)
        self.touched = np.where(self.there, ranges.touched[self.starts, self.ends], 0.0)
        self.replicas = float(problem.offerings.max_replicas)
        self.ledger = Ledger(problem)
        self.longest = self._prompt(prefixes.longest)
        self._use()

    def _on_grid(self, needed: Floats, scales: Floats) -> Floats:
        grid = self.problem.offerings.function_memory
        needed = np.where(self.there, needed, grid.least_bytes)
        steps = np.ceil((needed * scales - grid.least_bytes) / grid.step_bytes)
        sizes = grid.least_bytes + np.maximum(steps, 0) * grid.step_bytes
        return np.where(self.there, np.where(sizes <= grid.most_bytes, sizes, needed), 0.0)

    def gathered(self, level: float) -> Gathered:
        """The candidates whose functions keep a replica if they are needed as likely as this."""
        kept = self.there & (self.touched >= level)
        return Gathered(
            shapes=self.shapes,
            ranks=self.ranks,
            places=self.places,
            sizes=self.sizes,
            kept=kept,
            scores=self.ledger.score(self._totals(kept)),
        )

    def _between(self, values: Floats) -> Floats:
        """[candidates, functions, layers, ...] of sums at the cuts, [layers, cuts, ...]."""
        by_cut = np.moveaxis(values, 0, 1)
        return np.asarray(by_cut[self.ends] - by_cut[self.starts])

    def _until(self, values: Floats) -> Floats:
        """[candidates, layers, ...] at the last edge, of [layers, cuts, ...]."""
        return np.asarray(np.moveaxis(values, 0, 1)[self.last])

    def _at_size(self, values: Floats, *, whole: bool = False) -> Floats:
        """Seconds at each function's size, [candidates, functions, layers].

        Args:
            values: at the cuts, [layers, cuts, sizes].
            whole: from the least used expert on, not from the function's own start.
        """
        known = self.prefixes.cores
        place = np.clip(np.searchsorted(known, self.cores, side="right") - 1, 0, len(known) - 1)
        above = np.minimum(place + 1, len(known) - 1)
        # Sizes may have the same cores: where a bound, not memory, decides how many there are.
        step = known[above] - known[place]
        span = np.where(step > 0, step, 1.0)
        share = np.clip((self.cores - known[place]) / span, 0.0, 1.0)[..., None]
        by_cut = values.transpose(1, 2, 0)
        low, high = by_cut[self.ends, place], by_cut[self.ends, above]
        if not whole:
            low, high = low - by_cut[self.starts, place], high - by_cut[self.starts, above]
        speed = (1 - share) / np.maximum(low, TINY) + share / np.maximum(high, TINY)
        return np.asarray(np.where(low > 0, 1 / speed, 0.0))

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
        totals[Amount.FUNCTIONS] = self.there.sum(axis=1)
        longest = self.prefixes.longest.chunks
        totals[Amount.LONG_PREFILL] = longest * self._prompt_seconds(self.longest)
        totals[Amount.LONG_CALLS] = longest * self.longest.calls.sum(axis=(1, 2))
        totals[Amount.STEP_CALLS] = step_calls.sum(axis=1)
        totals[Amount.SPREAD] = spread
        self.totals = totals
        self.busy_seconds = chunks * typical.whole.sum(axis=2) + own * step_busy
        self.calls = chunks * typical.calls.sum(axis=2) + own * step_calls

    def _totals(self, kept: NDArray[np.bool_]) -> Floats:
        totals = self.totals.copy()
        cost, asleep = self._billed(kept, self.ledger.span_seconds(totals))
        needed = asleep * self.touched
        rest = 1 - self.problem.slo.percentile
        least = np.minimum(rest, needed.max(axis=1, keepdims=True))
        sleeping = self.there & (needed >= np.maximum(least, TINY))
        totals[Amount.FUNCTION_COST] = cost
        totals[Amount.COLD_PREFILL] = self._cold(sleeping)
        totals[Amount.LOG_AWAKE] = np.log1p(-np.minimum(needed, 1 - 1e-12)).sum(axis=1)
        return totals

    def _cold(self, sleeping: NDArray[np.bool_]) -> Floats:
        """Seconds of the longest prompt where main computes for those that sleep."""
        if not sleeping.any():
            return np.asarray(self.totals[Amount.LONG_PREFILL])
        sums, awake = self.prefixes.longest, ~sleeping[..., None]
        here = (self._between(-sums.local) * sleeping[..., None]).sum(axis=1)
        there = _Prompt(
            local=self.longest.local + here,
            calls=self.longest.calls * awake,
            call=self.longest.call * awake,
            work=self.longest.work * awake,
            whole=self.longest.whole,
        )
        return sums.chunks * self._prompt_seconds(there) + self._borrowing(sleeping)

    def _borrowing(self, sleeping: NDArray[np.bool_]) -> Floats:
        hit = self._between(self.prefixes.longest.hit).sum(axis=2)
        weights = (hit * sleeping).sum(axis=1) * self.problem.architecture.expert_bytes
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
        alone = (call + work).max(axis=1)
        line = float(in_line(self.profile, 0.0))
        remote = np.maximum(alone, call.max(axis=1) + line * work.sum(axis=1))
        wire = self.profile.call.main_seconds * calls.sum(axis=1)
        return together(self.profile, local + wire, remote)

    def _decode(self) -> tuple[Floats, Floats, Floats, Floats]:
        """Seconds and spread [candidates]; billed seconds and calls, [candidates, functions]."""
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
        prefixes, profile = self.prefixes, self.profile
        missed = none_from(self._between(prefixes.powers), prefixes.all_powers)
        called_one = np.where(self.there[..., None], 1 - missed, 0.0)
        called = 1 - (1 - called_one) ** sums.rows
        picked = self._between(prefixes.picked)
        work = self._at_size(sums.work)
        if sums.rows == 1:
            seconds, spread = self._one_row(picked, called)
        else:
            travel = 2 * picked * sums.rows * self.row_bytes / profile.call.bytes_per_second
            call = called * profile.call.mean_seconds + travel
            seconds = self._together(self._until(sums.local), called, call, work)
            spread = np.zeros_like(seconds)
        return seconds.sum(axis=1), work.sum(axis=2), called.sum(axis=2), spread.sum(axis=1)

    def _one_row(self, picked: Floats, called: Floats) -> tuple[Floats, Floats]:
        """Seconds, and one standard deviation of them, [candidates, layers]."""
        total = picked.sum(axis=1)
        share = picked / np.maximum(total, TINY)[:, None]
        hits = self._until(self.prefixes.hits)
        some = 1 - hits[..., 0]
        calls = np.where(some > 0, called.sum(axis=1) / np.where(some > 0, some, 1.0), 1.0)

        def of(hits: Floats) -> Floats:
            return decode_expert_seconds(
                self.profile,
                row_bytes=self.row_bytes,
                hits=hits,
                function_cores=np.where(total > 0, (share * self.cores[..., None]).sum(axis=1), 1),
                concentration=(share**2).sum(axis=1),
                calls=calls,
            ).total

        top_k = self.problem.architecture.top_k
        mean = total / top_k
        more = mean + self._until(self.prefixes.spread)
        return of(hits), np.abs(of(remote_hits(more, top_k)) - of(remote_hits(mean, top_k)))

    def _billed(self, kept: NDArray[np.bool_], span: Floats) -> tuple[Floats, Floats]:
        """Cost of functions and calls [candidates], and how likely each function sleeps."""
        offerings, rate = self.problem.offerings, self.problem.workload.requests_per_second
        prices, start = offerings.prices, self.problem.profile.function_start
        busy, calls = self.busy_seconds, self.calls
        counts = self.prefixes.counts.sum(axis=0)
        experts = (counts[self.ends] - counts[self.starts]) * float(
            self.problem.architecture.expert_bytes
        )
        starts = start.seconds + experts / start.bytes_per_second
        asked = np.maximum(self.touched, SELDOM)
        held = held_seconds(calls / asked, span[:, None], offerings.function_keep_alive_seconds)
        held = np.maximum(held, busy / asked)
        asleep = asleep_share(rate * self.touched, held, starts)
        price = self.sizes / GIB * prices.function_gib_second
        fees = calls.sum(axis=1) * prices.call
        if offerings.billing is Billing.BUSY:
            return (busy * price).sum(axis=1) + fees, np.where(kept, 0.0, asleep)
        woken = self.touched * awake_per_request(rate * self.touched, held, starts)
        always = 1 / rate if rate else 0.0
        seconds = np.where(kept, always, woken)
        return (seconds * price).sum(axis=1) + fees, np.where(kept, 0.0, asleep)


def _padded(edges: tuple[int, ...], length: int) -> tuple[int, ...]:
    return edges + edges[-1:] * (length - len(edges))


TINY = 1e-300
PLACES = 24
MOST_PLACES = 128
SIZES = 8
KEPT = (2.0, 0.5, 0.0)
