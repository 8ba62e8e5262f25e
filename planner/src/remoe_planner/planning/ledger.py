"""From totals over the layers to what is asked of a plan: its cost and its latency."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Self

import numpy as np
from numpy.typing import NDArray

from remoe_planner.billing import Billing
from remoe_planner.demand.slo import Slo
from remoe_planner.estimating.awake import asleep_share, awake_per_request
from remoe_planner.estimating.decoding import MODEL_ERROR
from remoe_planner.estimating.placed import Floats
from remoe_planner.latency.prefill import pass_seconds
from remoe_planner.memory import GIB
from remoe_planner.planning.layer_options import Amount, first_seconds, step_seconds
from remoe_planner.planning.problem import Problem
from remoe_planner.planning.promise import OVERLOADED
from remoe_planner.queueing.company import Company, seconds_at


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scores:
    """Of candidates, each [n]; latencies are those of a request that is alone.

    Attributes:
        cost: of a typical request; infinite for what cannot be.
        ttft_seconds: at the SLO's percentile.
        tpot_seconds: at the SLO's percentile.
        prefill_seconds: of a typical prompt's passes.
        steps: [2, n], seconds of a decode step with one request, and with as many as there can be.
    """

    cost: Floats
    ttft_seconds: Floats
    tpot_seconds: Floats
    prefill_seconds: Floats
    steps: Floats

    def excess(self, problem: Problem) -> Floats:
        """By which factor the worst missed promise is missed where each request is alone."""
        return _excess(problem.slo, self.ttft_seconds, self.tpot_seconds)

    def excess_at_load(self, problem: Problem, which: NDArray[np.intp]) -> Floats:
        """The same at the rate that is expected, of these candidates."""
        stream, most = problem.stream, problem.offerings.main_replicas
        prefill, steps = self.prefill_seconds[which], problem.rows.steps(self.steps[:, which])
        replicas = stream.replicas(stream.hold_seconds(prefill, steps[-1]), most)
        company = Company.of(
            stream, prefill, steps, replicas=replicas, percentile=problem.slo.percentile
        )
        late_step = seconds_at(steps, stream, company.late_rows) - steps[0]
        missed = _excess(
            problem.slo,
            self.ttft_seconds[which] + company.late_line_seconds,
            self.tpot_seconds[which] + late_step + company.late_prompts_seconds,
        )
        return np.where(company.load < 1, missed, OVERLOADED * company.load)

    @classmethod
    def joined(cls, several: list[Scores]) -> Self:
        """One after the other."""
        return cls(
            cost=np.concatenate([s.cost for s in several]),
            ttft_seconds=np.concatenate([s.ttft_seconds for s in several]),
            tpot_seconds=np.concatenate([s.tpot_seconds for s in several]),
            prefill_seconds=np.concatenate([s.prefill_seconds for s in several]),
            steps=np.concatenate([s.steps for s in several], axis=1),
        )


def _excess(slo: Slo, ttft_seconds: Floats, tpot_seconds: Floats) -> Floats:
    worst = np.zeros_like(ttft_seconds)
    if slo.ttft_seconds is not None:
        worst = np.maximum(worst, ttft_seconds / slo.ttft_seconds)
    if slo.tpot_seconds is not None:
        worst = np.maximum(worst, tpot_seconds / slo.tpot_seconds)
    return worst


class Ledger:
    """What a problem's totals come to."""

    def __init__(self, problem: Problem, resident_totals: Floats | None = None) -> None:
        """Make the parts ready that are the same for all candidates.

        Args:
            problem: what is planned.
            resident_totals: [amounts, 1], of every expert local, where held costs are given for
                a request as long as that one's.
        """
        work, profile = problem.workload, problem.profile
        self.problem = problem
        self.layers = len(problem.architecture.layers)
        self.first_seconds = first_seconds(profile, work.prompt_tokens, self.layers)
        self.long_first_seconds = first_seconds(profile, work.max_prompt_tokens, self.layers)
        own = self.first_seconds - profile.request_seconds
        self.billed_first_seconds = own - pass_seconds(profile, work.prompt_tokens)
        self.step_seconds = step_seconds(problem, work.prompt_tokens + work.output_tokens / 2)
        self.long_step_seconds = step_seconds(
            problem, work.max_prompt_tokens + work.max_output_tokens / 2
        )
        self.resident_span_seconds = (
            0.0 if resident_totals is None else float(self.span_seconds(resident_totals)[0])
        )
        quantile = max(NormalDist().inv_cdf(problem.slo.percentile), 0.0)
        self.luck_seconds = quantile * profile.call.deviation_seconds
        self.longest_function_start = longest_function_start(problem)
        self.quantile = quantile

    @property
    def between_seconds(self) -> float:
        """Between two decode steps: nobody is billed for it."""
        profile, asked = self.problem.profile, self.problem.workload.concurrency
        few = math.floor(asked)
        share = asked - few
        more = share * float(profile.step.at(few + 1)) if share else 0.0
        return (1 - share) * float(profile.step.at(few)) + more

    def main_price(self, local_experts: Floats) -> Floats:
        """Price of a second of the main model; infinite where its memory is not on offer."""
        memory = self.problem.main_memory
        grid, prices = self.problem.offerings.main_memory, self.problem.offerings.prices
        needed = memory.needed(np.asarray(local_experts, np.int64))
        steps = np.maximum(np.ceil((needed - grid.least_bytes) / grid.step_bytes), 0)
        size = grid.least_bytes + steps * grid.step_bytes
        gpu = self.problem.main_gpu_bytes * prices.gpu_gib_second
        price = (size * prices.main_gib_second + gpu) / GIB
        return np.where(size <= grid.most_bytes, price, np.inf)

    def main_seconds(self, totals: Floats) -> Floats:
        """Seconds of the main model that a typical request pays, beside `awake_seconds`."""
        work = self.problem.workload
        first = self.billed_first_seconds + totals[Amount.PREFILL]
        step = self.step_seconds - self.between_seconds + totals[Amount.DECODE]
        return np.asarray(first + work.output_tokens / work.concurrency * step)

    def awake_seconds(self, totals: Floats) -> tuple[Floats, Floats]:
        """Seconds awake for each request, and the share of requests that wait for a start."""
        work, keep = self.problem.workload, self.problem.offerings.main_keep_alive_seconds
        rate = work.requests_per_second
        replicas = self.replicas(totals)
        if keep is None:
            always = replicas * (1 / rate if rate else 0.0)
            return always, np.zeros_like(always)
        span = self.span_seconds(totals)
        start = self.start_seconds(totals)
        each = rate / replicas
        waking = asleep_share(each, span + keep, start) * (1 + each * start)
        return awake_per_request(each, span + keep, start), np.asarray(waking)

    def replicas(self, totals: Floats) -> Floats:
        """Main models that it takes."""
        stream, most = self.problem.stream, self.problem.offerings.main_replicas
        if most == 1:
            return np.ones(totals.shape[1])
        prefill, full = self.prefill_seconds(totals), self.steps(totals)[1]
        return stream.replicas(stream.hold_seconds(prefill, full), most)

    def span_seconds(self, totals: Floats) -> Floats:
        """From a typical request's first pass to its last token."""
        first = self.first_seconds + totals[Amount.PREFILL]
        step = self.step_seconds + totals[Amount.DECODE]
        return np.asarray(first + self.problem.workload.output_tokens * step)

    def start_seconds(self, totals: Floats) -> Floats:
        """Cold start of the main model."""
        architecture, start = self.problem.architecture, self.problem.profile.main_start
        weights = totals[Amount.LOCAL_EXPERTS] * architecture.expert_bytes
        whole = architecture.main_bytes + weights
        return np.asarray(start.seconds + whole / start.bytes_per_second)

    def score(self, totals: Floats, function_starts: Floats | None = None) -> Scores:
        """What totals come to.

        Args:
            totals: [amounts, n].
            function_starts: [n], until the functions that are likely to sleep have started; by
                default as long as those of a whole layer take.
        """
        awake, waking = self.awake_seconds(totals)
        busy = self.problem.offerings.billing is Billing.BUSY
        seconds = self.main_seconds(totals) if busy else awake
        cost = self.main_price(totals[Amount.LOCAL_EXPERTS]) * seconds
        longer = self.span_seconds(totals) - self.resident_span_seconds
        cost = cost + totals[Amount.FUNCTION_COST] + longer * totals[Amount.HELD_COST]
        allowed = totals[Amount.FUNCTIONS] < self.problem.offerings.max_functions + 0.5
        return Scores(
            cost=np.where(allowed, cost, np.inf),
            ttft_seconds=self._late_first(totals, waking, function_starts),
            tpot_seconds=self._late_step(totals),
            prefill_seconds=self.prefill_seconds(totals),
            steps=self.steps(totals),
        )

    def prefill_seconds(self, totals: Floats) -> Floats:
        """Of a typical prompt's passes."""
        own = self.first_seconds - self.problem.profile.request_seconds
        return np.asarray(own + totals[Amount.PREFILL])

    def steps(self, totals: Floats) -> Floats:
        """[2, n], a decode step for one request, and for as many as there can be."""
        one, full = self.problem.rows.beside_ends
        return np.stack((one + totals[Amount.DECODE], full + totals[Amount.FULL_DECODE]))

    def _late_first(self, totals: Floats, waking: Floats, function_starts: Floats | None) -> Floats:
        rest = 1 - self.problem.slo.percentile
        calls = np.maximum(totals[Amount.LONG_CALLS], 0)
        warm = totals[Amount.LONG_PREFILL] + self.luck_seconds * np.sqrt(calls)
        met = -np.expm1(totals[Amount.LOG_AWAKE])
        start = np.where(waking > rest, self.start_seconds(totals), 0.0)
        starts = self.longest_function_start if function_starts is None else function_starts
        woken = np.maximum(starts - start, 0.0) + warm
        cold = np.maximum(warm, np.minimum(totals[Amount.COLD_PREFILL], woken))
        whole = np.where(met > rest, cold, warm)
        return np.asarray(self.long_first_seconds + whole + start)

    def _late_step(self, totals: Floats) -> Floats:
        tokens = self.problem.workload.output_tokens
        luck = self.luck_seconds * np.sqrt(np.maximum(totals[Amount.STEP_CALLS], 0) / tokens)
        spread = self.quantile * ALIKE * totals[Amount.SPREAD]
        mean = totals[Amount.DECODE] + MODEL_ERROR * totals[Amount.FUNCTION_STEP]
        return np.asarray(self.long_step_seconds + mean + np.hypot(luck, spread))


def longest_function_start(problem: Problem) -> float:
    """Cold start of a function that serves a whole layer, or as much of it as functions hold."""
    architecture, offerings = problem.architecture, problem.offerings
    layer = architecture.experts_per_layer * architecture.expert_bytes
    return problem.profile.function_start.of(min(layer, max(offerings.function_room_bytes, 0)))


ALIKE = 0.5
"""How much of the layers' deviations adds up: 1 where a request that is far from the mean in one
layer is so in all."""
