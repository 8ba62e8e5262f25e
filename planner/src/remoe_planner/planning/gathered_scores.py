"""What every plan comes to whose functions serve experts of all layers: the estimator's formulas.

The same as `estimating`, for the functions of all candidates at once, [functions, layers].
Functions of a candidate that are alike are one row that counts so many times.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from remoe_planner.billing import Billing
from remoe_planner.estimating.awake import asleep_share, awake_per_request, held_seconds
from remoe_planner.estimating.placed import Floats
from remoe_planner.latency.busiest import meeting_chance
from remoe_planner.latency.decode import decode_expert_seconds, remote_hits
from remoe_planner.latency.together import in_line, together
from remoe_planner.memory import GIB
from remoe_planner.planning.layer_options import SELDOM, WORTH_A_REPLICA, Amount
from remoe_planner.planning.ledger import Ledger, Scores
from remoe_planner.planning.prefixes import Prefixes, PromptSums, StepSums, none_from
from remoe_planner.planning.problem import Problem
from remoe_planner.planning.ranges import Ranges
from remoe_planner.planning.shapes import SCALES, Shape


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


class GatheredScores:
    """What every shape comes to; arrays are [functions, layers], candidate after candidate.

    Attributes:
        shapes: of the candidates.
        sizes: [functions], bytes.
        touched: [functions], probability that a typical request needs each.
    """

    def __init__(
        self, problem: Problem, prefixes: Prefixes, ranges: Ranges, shapes: tuple[Shape, ...]
    ) -> None:
        self.problem, self.profile, self.prefixes = problem, problem.profile, prefixes
        self.shapes = shapes
        self.row_bytes = 2 * problem.architecture.hidden_size
        functions = np.array([shape.split.functions for shape in shapes])
        stripes = np.array([float(shape.stripes) for shape in shapes])
        self.starts = np.concatenate([shape.split.edges[:-1] for shape in shapes])
        self.ends = np.concatenate([shape.split.edges[1:] for shape in shapes])
        self.last = np.array([shape.split.edges[-1] for shape in shapes])
        self.functions, self.first = functions, np.cumsum(functions) - functions
        self.candidates = np.repeat(np.arange(len(shapes)), functions)
        self.alike = stripes[self.candidates]
        counts = prefixes.counts.sum(axis=0)
        self.experts = (counts[self.ends] - counts[self.starts]) / self.alike
        scales = np.array([SCALES[shape.scale] for shape in shapes])
        self.sizes = self._on_grid(scales[self.candidates])
        self.cores = problem.offerings.function_cores(self.sizes)
        self.below, self.above, self.share = self._neighbors()
        self.touched = self._touched(ranges)
        # Stripes spread a prompt by themselves, and a call that is split costs the main model.
        most = float(problem.offerings.max_replicas)
        self.replicas = np.where(self.alike > 1, 1.0, most)[:, None]
        self.ledger = Ledger(problem)
        self.longest = self._prompt(prefixes.longest)
        self.called = self._called()
        self._use()

    def _on_grid(self, scales: Floats) -> Floats:
        """Multiples of what the experts need, and the largest size at most."""
        offerings, grid = self.problem.offerings, self.problem.offerings.function_memory
        weights = np.ceil(self.experts) * self.problem.architecture.expert_bytes
        needed = weights + float(offerings.memory.function_working_bytes)
        wanted = np.minimum(np.maximum(needed * scales, needed), grid.largest_bytes)
        steps = np.maximum(np.ceil((wanted - grid.least_bytes) / grid.step_bytes), 0)
        return np.asarray(grid.least_bytes + steps * grid.step_bytes, np.float64)

    def _neighbors(self) -> tuple[NDArray[np.intp], NDArray[np.intp], Floats]:
        """The known sizes on both sides of each function's, and how far it is from the first."""
        known = self.prefixes.cores
        below = np.clip(np.searchsorted(known, self.cores, side="right") - 1, 0, len(known) - 1)
        above = np.minimum(below + 1, len(known) - 1)
        # Sizes may have the same cores: where a bound, not memory, decides how many there are.
        step = known[above] - known[below]
        share = (self.cores - known[below]) / np.where(step > 0, step, 1.0)
        return below, above, np.clip(share, 0.0, 1.0)[:, None]

    def scores(self, kept: NDArray[np.bool_]) -> Scores:
        """Of all candidates, where these functions keep a replica."""
        totals, starts = self._totals(kept)
        return self.ledger.score(totals, starts)

    def _touched(self, ranges: Ranges) -> Floats:
        """Of a stripe independent draws tell: of a share of every layer something is needed."""
        rates = self.prefixes.rates.sum(axis=0)
        striped = -np.expm1(-(rates[self.ends] - rates[self.starts]) / self.alike)
        stretch = ranges.touched[self.starts, self.ends]
        return np.asarray(np.where(self.alike > 1, striped, stretch))

    def _sum(self, values: Floats) -> Floats:
        """[candidates, ...] of their functions'."""
        each = self.alike.reshape(-1, *(1,) * (values.ndim - 1))
        return np.asarray(np.add.reduceat(values * each, self.first, axis=0))

    def _most(self, values: Floats) -> Floats:
        return np.asarray(np.maximum.reduceat(values, self.first, axis=0))

    def _between(self, values: Floats) -> Floats:
        """[functions, layers] of sums at the cuts, [layers, cuts]."""
        by_cut = np.ascontiguousarray(values.T)
        return np.asarray((by_cut[self.ends] - by_cut[self.starts]) / self.alike[:, None])

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
        seconds = np.where(low > 0, 1 / speed, 0.0)
        return np.asarray(seconds if whole else seconds / self.alike[:, None])

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
        totals = np.zeros((len(Amount), len(self.shapes)))
        totals[Amount.PREFILL] = chunks * self._prompt_seconds(typical)
        totals[Amount.DECODE] = step
        full, full_busy, *_ = self._step(self.prefixes.full)
        totals[Amount.FULL_DECODE] = full + self._uneven(step, step_busy, full_busy)
        local = self._until(self.prefixes.local_step(work.concurrency)).sum(axis=1)
        totals[Amount.FUNCTION_STEP] = step - local
        remote = self.prefixes.counts.sum(axis=0)[self.last]
        totals[Amount.LOCAL_EXPERTS] = self.problem.architecture.expert_count - remote
        totals[Amount.FUNCTIONS] = self._sum(np.ones(len(self.starts)))
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
        start = self.profile.function_start
        weights = self.experts * self.problem.architecture.expert_bytes
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
        travelling = np.minimum(asked / parallel, sums.tokens)
        travel = 2 * travelling * self.row_bytes / profile.call.bytes_per_second
        call = hit * np.ceil(split / self.replicas) * profile.call.mean_seconds + travel
        # The longest expert of a stretch is that of all before its end, nearly always.
        longest = np.where(whole > 0, self._at_size(sums.longest, whole=True), 0.0)
        return _Prompt(
            local=self._until(sums.local),
            calls=hit * split,
            call=call,
            work=np.maximum(whole / parallel, np.minimum(longest, whole * self.alike[:, None])),
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
        if sums.rows == 1:
            called, work = self.called, self._at_size(sums.work)
            seconds, spread = self._one_row(self._between(self.prefixes.picked), called)
        else:
            seconds, called, work = self._shared(sums)
            spread = np.zeros_like(seconds)
        return seconds.sum(axis=1), work.sum(axis=1), called.sum(axis=1), spread.sum(axis=1)

    def _uneven(self, step: Floats, busy: Floats, full_busy: Floats) -> Floats:
        """What a full step waits longer for the busiest function, from one that has one row.

        Args:
            step: [candidates], seconds of a step with one row.
            busy: [functions], of work in it.
            full_busy: the same in a full step.
        """
        one, full = self.prefixes.steps[0], self.prefixes.full
        if one.rows > 1 or full.rows == 1:
            return np.zeros_like(step)
        shorter = self._sum(full_busy) / np.maximum(full.rows * self._sum(busy), TINY)
        mean = self._shared(one)[0].sum(axis=1)
        return np.asarray(np.maximum(step - mean, 0.0) * full.rows**0.5 * shorter)

    def _shared(self, sums: StepSums) -> tuple[Floats, Floats, Floats]:
        """Seconds [candidates, layers]; calls and work, [functions, layers]."""
        called = 1 - (1 - self.called) ** sums.rows if sums.rows > 1 else self.called
        work, picked = self._at_size(sums.work), self._between(self.prefixes.picked)
        rate = self.profile.call.bytes_per_second
        travel = 2 * picked * sums.rows * self.row_bytes / rate
        call = called * self.profile.call.mean_seconds + travel
        return self._together(self._until(sums.local), called, call, work), called, work

    def _one_row(self, picked: Floats, called: Floats) -> tuple[Floats, Floats]:
        """Seconds, and one standard deviation of them, [candidates, layers]."""
        total = self._sum(picked)
        share = picked / np.maximum(total, TINY)[self.candidates]
        hits = self._until(self.prefixes.hits)
        some = 1 - hits[..., 0]
        calls = np.where(some > 0, self._sum(called) / np.where(some > 0, some, 1.0), 1.0)
        cores = np.where(total > 0, self._sum(share * self.cores[:, None]), 1.0)
        squares = self._until(self.prefixes.squares) / np.maximum(total**2, TINY)
        concentration = meeting_chance(self._sum(share**2), squares)

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
