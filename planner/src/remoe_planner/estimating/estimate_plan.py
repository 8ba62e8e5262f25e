"""What a plan will do: every part of the model put together, in the order of a request's life."""

from __future__ import annotations

import math
from dataclasses import replace
from statistics import NormalDist

import numpy as np

from remoe_planner.demand.routing import Routing
from remoe_planner.demand.slo import Slo
from remoe_planner.demand.workload import Workload
from remoe_planner.estimate import Estimate, LatencyEstimate
from remoe_planner.estimating.costing import Sleep, Use, awake_cost, busy_cost, sleep_of
from remoe_planner.estimating.decoding import (
    CALLS,
    CONTEXT,
    MODEL_ERROR,
    WAITING,
    Step,
    row_bytes_of,
)
from remoe_planner.estimating.demanded import Picks, picks_of, sampled, touch_probability
from remoe_planner.estimating.given import Given
from remoe_planner.estimating.loading import Loading
from remoe_planner.estimating.placed import Bools, Floats, Placed
from remoe_planner.estimating.prefilling import Shares, prefill
from remoe_planner.estimating.step_curve import StepCurve
from remoe_planner.hardware.profile import HardwareProfile
from remoe_planner.latency.decode import decode_expert_seconds, remote_hits
from remoe_planner.offerings import Offerings
from remoe_planner.plan import Plan


def estimate_plan(
    plan: Plan,
    *,
    routing: Routing,
    workload: Workload,
    profile: HardwareProfile,
    offerings: Offerings,
    slo: Slo | None = None,
) -> Estimate:
    """What a plan is expected to do under a workload.

    Args:
        plan: where experts run, and what the parts are given.
        routing: how tokens spread over the experts.
        workload: the requests.
        profile: the machine.
        offerings: prices, keep-alive of the main model, cores by memory.
        slo: says at which percentile latency is told; its bounds are not looked at.

    Raises:
        ValueError: the routing is of another shape than the plan's model.
    """
    _check(plan, routing)
    placed = Placed.of(plan, offerings)
    own = profile.of_main(functions=placed.functions > 0)
    given = Given(routing, workload, own, plan.architecture.top_k)
    return estimate_placed(placed, given=given, offerings=offerings, slo=slo or Slo())


def estimate_placed(placed: Placed, *, given: Given, offerings: Offerings, slo: Slo) -> Estimate:
    """The same for a placement that is not a plan yet.

    Args:
        placed: the placement.
        given: with the profile of a main model with functions beside it, if it has any.
        offerings: as above.
        slo: as above.
    """
    world = _World(placed, given, offerings, slo)
    first, steps, use = world.typical()
    load = Loading.of(first, steps, given, offerings, percentile=slo.percentile)
    sleep = sleep_of(placed, given.profile, given.workload, offerings, use, load.replicas)
    prices = offerings.prices
    return Estimate(
        latency=world.latency(steps, use, sleep, load),
        busy=busy_cost(placed, prices, given.workload, use),
        awake=awake_cost(placed, prices, given.workload, offerings, use, sleep, load.replicas),
        main_memory_bytes=placed.main_memory_bytes,
        main_gpu_bytes=placed.main_gpu_bytes,
        function_memory_bytes=int(placed.memory_bytes.sum()),
        ttft_terms=dict(load.first.terms),
        tpot_terms=dict(load.step.terms),
        profile=given.profile.title,
        load=load.told(placed),
    )


class _World:
    """One estimate's givens, so that they need not be handed on one by one."""

    def __init__(self, placed: Placed, given: Given, offerings: Offerings, slo: Slo) -> None:
        self.placed, self.given = placed, given
        self.workload, self.profile = given.workload, given.profile
        self.offerings, self.slo = offerings, slo
        self.picks: Picks = picks_of(placed, given.visits, given.powers)
        self.samples = sampled(placed, given.samples)

    def typical(self) -> tuple[Step, StepCurve, Use]:
        """The first token, further ones, and what a typical request takes of the parts.

        What it takes is told for as many requests together as are stated: cost is no promise.
        """
        work = self.workload
        first = self._first(Shares.of(self.placed, self.given.typical))
        steps = self._steps(work.prompt_tokens + work.output_tokens / 2)
        step = steps.at(work.concurrency)
        own = work.output_tokens / work.concurrency
        use = Use(
            main_seconds=first.pass_seconds + own * step.pass_seconds,
            span_seconds=first.seconds + work.output_tokens * step.seconds,
            busy_seconds=first.busy_seconds + own * step.busy_seconds,
            calls=first.calls + own * step.calls,
            touched=touch_probability(self.placed, self.given, self.samples),
        )
        return first, steps, use

    def latency(self, steps: StepCurve, use: Use, sleep: Sleep, load: Loading) -> LatencyEstimate:
        start = self.profile.main_start.of(self.placed.local_weight_bytes)
        # A prompt whose functions sleep waits for no start of theirs: main computes their experts.
        needed = use.touched * sleep.asleep
        return LatencyEstimate(
            ttft_seconds=load.first.seconds,
            tpot_seconds=load.step.seconds,
            ttft_at_percentile_seconds=self._late_first(needed, sleep, start)
            + load.late_line_seconds,
            tpot_at_percentile_seconds=self._late_step(steps.at(self.workload.concurrency))
            + load.late_step_seconds,
            percentile=self.slo.percentile,
            cold_start_seconds=start if self.offerings.main_keep_alive_seconds is not None else 0.0,
            cold_start_probability=sleep.main_waking,
        )

    def _first(self, shares: Shares, asleep: Bools | None = None) -> Step:
        return prefill(
            self.placed,
            self.profile,
            shares,
            payload_bytes=self.offerings.payload_bytes,
            asleep=asleep,
        )

    def _steps(self, context_tokens: float) -> StepCurve:
        return StepCurve(
            placed=self.placed,
            given=self.given,
            picks=self.picks,
            max_batch=self.offerings.max_batch,
            context_tokens=context_tokens,
        )

    def _late_first(self, needed: Floats, sleep: Sleep, start: float) -> float:
        """TTFT of the longest prompt at the percentile: what is likelier than the rest counts.

        Functions are woken when the request comes, beside a main model that sleeps. From when they
        have started on, the prompt takes no longer than with all awake.
        """
        rest = 1 - self.slo.percentile
        main_start = start if sleep.main_waking > rest else 0.0
        longest = Shares.of(self.placed, self.given.longest)
        first = self._first(longest)
        whole = first.seconds + self._call_spread(float(first.calls.sum()))
        if 1 - float(np.prod(1 - needed)) > rest:
            asleep = needed >= min(rest, float(needed.max()))
            alone = self._first(longest, asleep).seconds + self._borrowing_seconds(asleep)
            woken = max(self._function_start(asleep) - main_start, 0.0) + whole
            whole = max(whole, min(alone, woken))
        return whole + main_start

    def _function_start(self, asleep: Bools) -> float:
        """Until the last of these functions has started."""
        return self.profile.function_start.of(float(self.placed.weight_bytes[asleep].max()))

    def _borrowing_seconds(self, asleep: Bools) -> float:
        """The way of the weights that a prompt needs of sleeping functions into main's memory."""
        borrowed = np.concatenate(([False], asleep))[self.placed.homes]
        experts = float(np.where(borrowed, self.given.longest.hit, 0.0).sum())
        weights = experts * self.placed.architecture.expert_bytes
        return weights / self.profile.main_start.bytes_per_second

    def _late_step(self, typical: Step) -> float:
        """TPOT at the percentile: the longest request, its routing and its calls' luck.

        Routing spreads from request to request, calls from one to the next; the two are
        independent, so their parts beyond the mean add up as squares. The mean itself may be off.
        """
        work = self.workload
        context = work.max_prompt_tokens + work.max_output_tokens / 2
        seconds = typical.seconds + self._context_seconds(context) - typical.terms[CONTEXT]
        calls = float(typical.calls.sum())
        luck = self._call_spread(calls * work.output_tokens) / work.output_tokens
        off = MODEL_ERROR * (typical.terms[CALLS] + typical.terms[WAITING])
        return seconds + off + math.hypot(luck, self._routing_spread())

    def _context_seconds(self, tokens: float) -> float:
        """What a step's attention to so many tokens takes: all that differs between requests."""
        layers = len(self.placed.homes)
        return layers * self.workload.concurrency * tokens * self.profile.context_seconds

    def _call_spread(self, calls: float) -> float:
        """Seconds beyond the mean that so many calls in a row take at the percentile."""
        quantile = max(NormalDist().inv_cdf(self.slo.percentile), 0.0)
        return quantile * self.profile.call.deviation_seconds * math.sqrt(calls)

    def _routing_spread(self) -> float:
        """Seconds beyond the mean that the sampled request at the percentile takes."""
        if len(self.samples.tokens) < 2 or not self.placed.functions:
            return 0.0
        seconds = decode_expert_seconds(
            self.profile,
            row_bytes=row_bytes_of(self.placed),
            hits=remote_hits(self.samples.remote_shares, self.placed.architecture.top_k),
            function_cores=self.picks.cores,
            concentration=self.picks.concentration,
            calls=self.picks.calls,
        ).total.sum(axis=1)
        return max(float(np.quantile(seconds, self.slo.percentile) - seconds.mean()), 0.0)


def with_estimate(plan: Plan, estimate: Estimate) -> Plan:
    """The plan with what it is expected to do."""
    return replace(plan, estimate=estimate)


def _check(plan: Plan, routing: Routing) -> None:
    if routing.shape != plan.architecture.shape:
        raise ValueError(
            f"routing: must be of shape {plan.architecture.shape} (layers, experts) as the plan's "
            f"model {plan.architecture.name}, got {routing.shape}"
        )
