"""A day's bill taken apart: work, cold starts, keep-alive, fees, and what the network adds."""

from __future__ import annotations

from dataclasses import dataclass, replace

from evaluation.comparison import AT, keeps

from remoe_planner.memory import GIB

AT_HAND_BYTES_PER_SECOND = 1e12


@dataclass(frozen=True, kw_only=True)
class Account:
    """What a request costs, in USD, by what it is paid for; and what it gets for it."""

    busy_usd: float
    cold_start_usd: float
    idle_usd: float
    fees_usd: float
    network_usd: float
    latency: dict[str, object]

    @property
    def total_usd(self):
        parts = (self.cold_start_usd, self.idle_usd, self.fees_usd, self.network_usd)
        return self.busy_usd + sum(parts)

    @property
    def columns(self):
        names = ("busy", "cold_start", "idle", "fees", "network", "total")
        return {f"{n}_usd_per_request": getattr(self, f"{n}_usd") for n in names} | self.latency


def account(stage, contender, arrivals, network, belief, slo):
    """Of a contender's day, without and with the network between its functions."""
    far = stage.day(contender, arrivals, belief=belief)
    near = far
    if contender.plan.functions and network is not None:
        near = stage.day(_at_hand(contender, network), arrivals, belief=belief)
    requests = len(near.served)
    busy = near.busy.main_cost + near.busy.function_cost
    fees = near.awake.call_cost
    cold = starting_usd(near, contender)
    return Account(
        busy_usd=busy / requests,
        cold_start_usd=cold / requests,
        idle_usd=(near.awake.cost - busy - fees - cold) / requests,
        fees_usd=fees / requests,
        network_usd=(far.awake.cost - near.awake.cost) / requests,
        latency={
            "ttft_p50_seconds": far.ttft_seconds(0.5),
            "ttft_p95_seconds": far.ttft_seconds(AT),
            "tpot_p95_seconds": far.tpot_seconds(AT),
            "slo_ttft_seconds": slo.ttft_seconds,
            "slo_tpot_seconds": slo.tpot_seconds,
            "inside_slo_share": far.share_inside(slo),
            "keeps_slo": keeps(far, slo),
            "main_starts": far.main_starts,
            "function_starts": far.function_starts,
            "cold_start_seconds": cold_start_seconds(contender),
        },
    )


def _at_hand(contender, network):
    """The same plan where the way to functions takes no time."""
    call = contender.profile.call
    near = replace(
        call,
        mean_seconds=call.mean_seconds - network.round_trip_seconds,
        bytes_per_second=AT_HAND_BYTES_PER_SECOND,
    )
    return replace(contender, profile=replace(contender.profile, call=near))


def cold_start_seconds(contender):
    """Of the main model, all of whose functions start beside it."""
    return contender.profile.main_start.of(_local_bytes(contender.plan))


def starting_usd(day, contender):
    """Memory held while parts start; of functions, at the mean of what one start costs."""
    plan, prices = contender.plan, contender.prices
    main = plan.main_memory_bytes * prices.main_gib_second
    main += plan.main_gpu_bytes * prices.gpu_gib_second
    spent = day.main_starts * cold_start_seconds(contender) * main / GIB
    if not plan.functions:
        return spent
    expert = plan.architecture.expert_bytes
    each = [
        contender.profile.function_start.of(len(function.experts) * expert) * function.memory_bytes
        for function in plan.functions
    ]
    mean = sum(each) / len(each) / GIB * prices.function_gib_second
    return spent + day.function_starts * mean


def _local_bytes(plan):
    return plan.architecture.main_bytes + len(plan.local_experts) * plan.architecture.expert_bytes
