"""A plan in the words of a resource's status."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from remoe_operator.children.plan_config import PlanInForce
from remoe_operator.planned.price_list import price_list
from remoe_operator.planned.workload import slo_of
from remoe_operator.resource.duration import duration_of
from remoe_operator.resource.quantity import memory
from remoe_operator.resource.spec import MoEServiceSpec
from remoe_operator.resource.status import PlanSummary
from remoe_planner.estimate import Estimate, LatencyEstimate
from remoe_planner.memory import GIB, MIB
from remoe_planner.method import Method
from remoe_planner.planning.promise import shortfalls

MAIN = "main"
_MOST_REASONS, _MOST_BINDING, _MOST_SHORTFALLS = 64, 16, 8
_HOUR = 3600


def summary_of(plan: PlanInForce, spec: MoEServiceSpec) -> PlanSummary:
    """The plan in short, with what it is expected to cost and to take."""
    made = plan.plan
    estimate = made.estimate
    cost = estimate.under(spec.prices.billing) if estimate else None
    currency = spec.prices.currency
    return PlanSummary(
        digest=plan.digest,
        method=made.method.value if made.method else "by hand",
        experts=made.architecture.expert_count,
        remote_experts=len(made.remote_experts),
        functions=len(made.functions),
        main_memory=_memory(made.main_memory_bytes),
        function_memory=_memory(sum(function.memory_bytes for function in made.functions)),
        ttft=_told(estimate, spec, made.method, "ttft"),
        tpot=_told(estimate, spec, made.method, "tpot"),
        load=_load(estimate, spec, made.method),
        cost_per_hour=_money(cost.per_hour, currency) if cost else None,
        cost_per_million_tokens=_money(cost.per_million_tokens, currency) if cost else None,
        binding=_few(made.binding, _MOST_BINDING),
        shortfalls=_few(shortfalls_of(plan, spec), _MOST_SHORTFALLS),
        reasons=_few(made.reasons, _MOST_REASONS),
    )


def shortfalls_of(plan: PlanInForce, spec: MoEServiceSpec) -> tuple[str, ...]:
    """Sentences about the spec's promises that the plan misses; empty where it keeps them all.

    That more is asked than can be done is missed whatever is promised, but on a machine of which
    nobody knows how fast it is.
    """
    estimate, known = plan.plan.estimate, _is_known(spec, plan.plan.method) or _promises(spec)
    if estimate is None or not known:
        return ()
    return tuple(missed.sentence for missed in shortfalls(estimate, slo_of(spec)))


def cost_now(plan: PlanInForce, spec: MoEServiceSpec, awake: Mapping[str, int]) -> str:
    """What an hour costs of what is awake, such as `0.0312 USD`.

    Args:
        plan: in force.
        spec: for its prices.
        awake: replicas by part: `main` and the plan's function names.
    """
    prices, made = price_list(spec), plan.plan
    main_second = made.main_memory_bytes / GIB * prices.main_gib_second
    gpu_second = made.main_gpu_bytes / GIB * prices.gpu_gib_second
    seconds = awake.get(MAIN, 0) * (main_second + gpu_second) + sum(
        awake.get(function.name, 0) * function.memory_bytes / GIB * prices.function_gib_second
        for function in made.functions
    )
    return _money(_HOUR * seconds, prices.currency)


def _told(
    estimate: Estimate | None, spec: MoEServiceSpec, method: Method | None, name: str
) -> str | None:
    """A latency; not that of a plan by use alone on a machine that nobody measured."""
    promised = getattr(spec.slo, name) is not None
    if estimate is None or not (promised or _is_known(spec, method)):
        return None
    return duration_of(_latency(estimate.latency, name, at_percentile=promised))


def _load(estimate: Estimate | None, spec: MoEServiceSpec, method: Method | None) -> str | None:
    """How much is asked, as far as the machine is known."""
    load = estimate.load if estimate else None
    if load is None or not (_promises(spec) or _is_known(spec, method)):
        return None
    of = "1 replica" if load.most_replicas == 1 else f"{load.most_replicas} replicas"
    return f"{load.share:.0%} of {of}"


def _promises(spec: MoEServiceSpec) -> bool:
    return spec.slo.ttft is not None or spec.slo.tpot is not None


def _is_known(spec: MoEServiceSpec, method: Method | None) -> bool:
    """Whether times are worth telling: of a machine that was measured, or that was planned for."""
    return spec.profile is not None or method is not Method.LEAST_USED


def _latency(latency: LatencyEstimate, name: str, *, at_percentile: bool) -> float:
    field = f"{name}_at_percentile_seconds" if at_percentile else f"{name}_seconds"
    value: float = getattr(latency, field)
    return value


def _memory(byte_count: int) -> str:
    return memory(-(-byte_count // MIB) * MIB)


def _money(amount: float, currency: str) -> str:
    return f"{amount:.4g} {currency}"


def _few(sentences: Sequence[str], most: int) -> tuple[str, ...]:
    """As many as the status holds; the last says how many were left out."""
    if len(sentences) <= most:
        return tuple(sentences)
    return (*sentences[: most - 1], f"and {len(sentences) - most + 1} more")
