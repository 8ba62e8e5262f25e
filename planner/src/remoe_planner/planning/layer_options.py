"""Every option of every layer that has a function of its own, and what each adds to the plan.

The same formulas as `estimating`, for all options at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, auto
from typing import Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from remoe_planner.billing import Billing
from remoe_planner.choosing.choices import Choices
from remoe_planner.estimating.awake import asleep_share, awake_per_request, held_seconds
from remoe_planner.estimating.placed import Floats
from remoe_planner.hardware.profile import HardwareProfile
from remoe_planner.latency.decode import decode_expert_seconds
from remoe_planner.latency.prefill import module_seconds
from remoe_planner.latency.together import together
from remoe_planner.memory import GIB
from remoe_planner.planning.prefixes import Prefixes, PromptSums, StepSums
from remoe_planner.planning.problem import Problem
from remoe_planner.planning.rows import beside_experts

_T = TypeVar("_T", bound=np.generic)


class Amount(IntEnum):
    """What adds up over the layers."""

    PREFILL = 0
    """Seconds of the experts in a typical prompt's prefill."""
    DECODE = auto()
    """Seconds of the experts in one decode step."""
    FULL_DECODE = auto()
    """The same in a step with as many requests as there can be."""
    FUNCTION_STEP = auto()
    """What of it functions take: calls, and waiting for them."""
    FUNCTION_COST = auto()
    """Functions and calls of a typical request, in the price list's currency, where the request
    takes as long as one with every expert local."""
    HELD_COST = auto()
    """What more of it there is for each second that the request takes longer."""
    LOCAL_EXPERTS = auto()
    """Experts that stay."""
    FUNCTIONS = auto()
    """Functions."""
    LONG_PREFILL = auto()
    """Seconds of the experts in the longest prompt's prefill, functions awake."""
    COLD_PREFILL = auto()
    """The same where functions that are likely to sleep do."""
    LONG_CALLS = auto()
    """Calls of the longest prompt's prefill."""
    STEP_CALLS = auto()
    """Calls of a decode step."""
    LOG_AWAKE = auto()
    """Logarithm of the probability that the request meets no sleeping function."""
    SPREAD = auto()
    """Seconds of a decode step by which requests differ: one standard deviation."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LayerOptions:
    """The options, in the order of the table's last axis.

    Attributes:
        choices: what each option adds.
        remote: int [layers, options], least used experts that are remote.
        memory_bytes: [layers, options], of the function; 0 without one.
        replicas: int [layers, options], most replicas.
        kept: int [layers, options], replicas kept when idle.
    """

    choices: Choices
    remote: NDArray[np.intp]
    memory_bytes: Floats
    replicas: NDArray[np.intp]
    kept: NDArray[np.intp]

    @classmethod
    def of(cls, problem: Problem, prefixes: Prefixes, replicas: NDArray[np.intp]) -> Self:
        """Every cut, in every size that holds it, with each number of replicas, asleep or kept.

        Args:
            problem: what is planned.
            prefixes: the cuts, the same in every layer, and the sizes.
            replicas: numbers of replicas looked at.
        """
        kept = np.arange(1 if problem.offerings.billing is Billing.BUSY else 2)
        table = _Table(problem, prefixes, replicas, kept)
        amounts = table.amounts()
        shape = amounts.shape[1:]
        counts = prefixes.counts[:, table.cut]
        sizes = np.where(counts > 0, prefixes.sizes[table.size], 0.0)
        return cls(
            choices=Choices(amounts=amounts.reshape(*amounts.shape[:2], -1)),
            remote=_filled(counts[..., None, None], shape),
            memory_bytes=_filled(sizes[..., None, None], shape),
            replicas=_filled(replicas[:, None], shape),
            kept=_filled(kept, shape),
        )


def _filled(values: NDArray[_T], shape: tuple[int, ...]) -> NDArray[_T]:
    """[layers, options], of what broadcasts to the options."""
    return np.broadcast_to(values, shape).reshape(shape[0], -1)


def _pairs(problem: Problem, prefixes: Prefixes) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Cuts and sizes that hold them, [pairs] each; without experts one size is enough."""
    counts = prefixes.counts[0]
    needed = counts * problem.architecture.expert_bytes
    needed = needed + problem.offerings.memory.function_working_bytes
    fits = prefixes.sizes >= needed[:, None]
    fits[counts == 0] = np.arange(len(prefixes.sizes)) == 0
    cut, size = np.nonzero(fits)
    return cut, size


class _Table:
    """Amounts of all options, [amounts, layers, pairs, replicas, kept]; a pair is cut and size."""

    def __init__(
        self,
        problem: Problem,
        prefixes: Prefixes,
        replicas: NDArray[np.intp],
        kept: NDArray[np.intp],
    ) -> None:
        self.problem = problem
        self.profile = problem.profile
        self.prefixes = prefixes
        self.cut, self.size = _pairs(problem, prefixes)
        self.z = np.asarray(replicas, np.float64)
        self.kept = kept
        self.row_bytes = 2 * problem.architecture.hidden_size
        self.remote = prefixes.counts[0, self.cut] > 0
        self.touched = self._at_cut(prefixes.touched())

    def _at_cut(self, values: NDArray[_T]) -> NDArray[_T]:
        """[layers, pairs] of [layers, cuts]."""
        return values[:, self.cut]

    def _at_pair(self, values: Floats) -> Floats:
        """[layers, pairs] of [layers, cuts, sizes]."""
        return values[:, self.cut, self.size]

    def amounts(self) -> Floats:
        """The amounts; the first option of every layer is all local."""
        typical, busy, calls = self._prefill(self.prefixes.typical)
        longest, _, long_calls = self._prefill(self.prefixes.longest)
        decode, step_busy, step_calls = self._decode()
        work = self.problem.workload
        own = work.output_tokens / work.concurrency
        all_busy = busy + (own * step_busy)[..., None]
        all_calls = calls + (own * step_calls)[..., None]
        span = self._span(typical, decode)
        cost, asleep = self._billed(all_busy, all_calls, span)
        longer, _ = self._billed(all_busy, all_calls, LONGER_SPAN * span)
        needed = asleep * _wide(self.touched)
        stays = self.problem.architecture.experts_per_layer - self.prefixes.counts
        columns = {
            Amount.PREFILL: typical[..., None],
            Amount.DECODE: _wide(decode),
            Amount.FULL_DECODE: _wide(self._step(self.prefixes.full)[0]),
            Amount.FUNCTION_STEP: _wide(decode - self._local_step()),
            Amount.FUNCTION_COST: cost,
            Amount.HELD_COST: (longer - cost) / ((LONGER_SPAN - 1) * span),
            Amount.LOCAL_EXPERTS: _wide(self._at_cut(stays)),
            Amount.FUNCTIONS: _wide(self.remote),
            Amount.LONG_PREFILL: longest[..., None],
            Amount.COLD_PREFILL: self._cold(needed, longest[..., None]),
            Amount.LONG_CALLS: long_calls[..., None],
            Amount.STEP_CALLS: _wide(step_calls),
            Amount.LOG_AWAKE: np.log1p(-np.minimum(needed, 1 - 1e-12)),
            Amount.SPREAD: _wide(self._spread(decode)),
        }
        amounts = np.empty((len(Amount), *decode.shape, len(self.z), len(self.kept)))
        for amount in Amount:
            amounts[amount] = columns[amount]
        return amounts

    def _prefill(self, sums: PromptSums) -> tuple[Floats, Floats, Floats]:
        """Seconds, billed seconds and calls, [layers, pairs, replicas]."""
        profile, payload = self.profile, self.problem.offerings.payload_bytes
        asked = sums.asked[..., None]
        hit = -np.expm1(-asked)
        split = np.minimum(self.z, np.maximum(np.ceil(asked / WORTH_A_REPLICA), 1))
        if payload:
            split = np.maximum(split, np.ceil(asked * self.row_bytes / payload))
        parallel = np.minimum(split, self.z)
        travelling = np.minimum(asked / parallel, sums.tokens)
        travel = 2 * travelling * self.row_bytes / profile.call.bytes_per_second
        call = hit * np.ceil(split / self.z) * profile.call.mean_seconds + travel
        calls = self._at_cut(hit * split)
        busy = self._at_pair(sums.work)[..., None]
        work = np.maximum(busy / self._at_cut(parallel), self._at_pair(sums.longest)[..., None])
        local = self._at_cut(sums.local)[..., None] + profile.call.main_seconds * calls
        remote = np.where(self.remote[:, None], self._at_cut(call) + work, 0.0)
        seconds = together(profile, local, remote)
        return sums.chunks * seconds, sums.chunks * busy, sums.chunks * calls

    def _decode(self) -> tuple[Floats, Floats, Floats]:
        """Seconds, billed seconds and calls, [layers, pairs]."""
        steps = [self._step(sums) for sums in self.prefixes.steps]
        if len(steps) == 1:
            return steps[0]
        share = self.problem.workload.concurrency - self.prefixes.steps[0].rows
        few, more = steps
        seconds, busy, calls = (
            (1 - share) * one + share * other for one, other in zip(few, more, strict=True)
        )
        return seconds, busy, calls

    def _local_step(self) -> Floats:
        """Seconds of the experts that stay in a decode step, [layers, pairs]."""
        return self._at_cut(self.prefixes.local_step(self.problem.workload.concurrency))

    def _step(self, sums: StepSums) -> tuple[Floats, Floats, Floats]:
        profile, prefixes = self.profile, self.prefixes
        called = self._at_cut(1 - prefixes.hits[..., 0] ** sums.rows)
        called = np.where(self.remote, called, 0.0)
        work = self._at_pair(sums.work)
        if sums.rows == 1:
            experts = decode_expert_seconds(
                profile,
                row_bytes=self.row_bytes,
                hits=prefixes.hits[:, :, None],
                function_cores=prefixes.cores,
            )
            return self._at_pair(experts.total), work, called
        wire = profile.call.main_seconds * called
        picked = self._at_cut(prefixes.picked)
        travel = 2 * picked * sums.rows * self.row_bytes / profile.call.bytes_per_second
        call = called * profile.call.mean_seconds + travel
        remote = np.where(self.remote, call + work, 0.0)
        return together(profile, self._at_cut(sums.local) + wire, remote), work, called

    def _span(self, typical: Floats, decode: Floats) -> float:
        """Of a request with every expert local; functions are held for little else."""
        work, layers = self.problem.workload, len(self.prefixes.counts)
        first = first_seconds(self.profile, work.prompt_tokens, layers)
        step = step_seconds(self.problem, work.prompt_tokens + work.output_tokens / 2)
        first += float(typical[:, 0, 0].sum())
        return first + work.output_tokens * (step + float(decode[:, 0].sum()))

    def _billed(self, busy: Floats, calls: Floats, span: float) -> tuple[Floats, Floats]:
        """Cost of functions and calls, and how likely they sleep, both for all options."""
        offerings, rate = self.problem.offerings, self.problem.workload.requests_per_second
        prices = offerings.prices
        weights = self._at_cut(self.prefixes.counts) * float(self.problem.architecture.expert_bytes)
        start = self.profile.function_start
        starts = (start.seconds + weights / start.bytes_per_second)[..., None]
        touched = self.touched[..., None]
        asked = np.maximum(touched, SELDOM)
        held = held_seconds(calls / asked, span, offerings.function_keep_alive_seconds)
        held = np.maximum(held, busy / asked)
        asleep = asleep_share(rate * touched, held, starts)
        fees = calls * prices.call
        price = self.prefixes.sizes[self.size, None] / GIB * prices.function_gib_second
        if offerings.billing is Billing.BUSY:
            cost = (busy * price + fees)[..., None]
        else:
            woken = touched * awake_per_request(rate * touched, held, starts) * price
            always = np.broadcast_to(price / rate if rate else 0.0 * price, woken.shape)
            cost = np.stack([woken, always], axis=-1) + fees[..., None]
        there = self.remote[:, None, None]
        sleeping = np.where(self.kept > 0, 0.0, asleep[..., None])
        return np.where(there, cost, 0.0), np.where(there, sleeping, 0.0)

    def _cold(self, needed: Floats, longest: Floats) -> Floats:
        """Prefill of the longest prompt where main computes for those that are likely to sleep."""
        sums = self.prefixes.longest
        rest = 1 - self.problem.slo.percentile
        alone = sums.chunks * sums.local[:, :1]
        way = self.problem.architecture.expert_bytes / self.profile.main_start.bytes_per_second
        borrowed = self._at_cut(alone + sums.hit * way)
        return np.where(needed >= rest, _wide(borrowed), longest)

    def _spread(self, decode: Floats) -> Floats:
        """One standard deviation of a step, by the slope from no remote expert to these."""
        top_k = self.problem.architecture.top_k
        share = np.maximum(self.prefixes.picked / top_k, 1e-12)
        slope = np.abs(decode - decode[:, :1]) / self._at_cut(share)
        return np.asarray(slope * self._at_cut(self.prefixes.spread))


def first_seconds(profile: HardwareProfile, tokens: int, layers: int) -> float:
    """Of the first token of such a prompt, beside its routed experts."""
    return module_seconds(profile, tokens, layers) + profile.request_seconds


def step_seconds(problem: Problem, context: float) -> float:
    """Of the mean decode step at this context, beside its routed experts."""
    layers, together = len(problem.architecture.layers), problem.workload.concurrency
    return float(beside_experts(problem.profile, layers, together, context))


def _wide(values: NDArray[np.generic]) -> Floats:
    """[..., pairs] as [..., pairs, 1, 1]."""
    return np.asarray(values, np.float64)[..., None, None]


LONGER_SPAN = 2.0
SELDOM = 1e-9
WORTH_A_REPLICA = 16.0
"""Pairs that a replica must get for the main model to split a layer's call."""
