"""Why a plan is as it is: asked of an expert, a function or a constraint, told in numbers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from remoe_planner.architecture import Architecture
from remoe_planner.billing import Billing
from remoe_planner.experts import ExpertId
from remoe_planner.memory import MIB
from remoe_planner.plan import FunctionPlan, Plan
from remoe_planner.planning.decisions import told_load
from remoe_planner.planning.grounds import Grounds
from remoe_planner.planning.moving import NEW, Move, moved


def explain(plan: Plan, about: ExpertId | str, grounds: Grounds) -> str:
    """Why an expert is where it is, what a function is for, or what a constraint does.

    Args:
        plan: the plan.
        about: an expert, a function's name, the first word of a binding constraint, or "load".
        grounds: what it was made from.

    Raises:
        ValueError: the plan has no such expert, function or constraint, or the routing is of
            another shape.
    """
    if grounds.routing.shape != plan.architecture.shape:
        raise ValueError(
            f"routing: must be of shape {plan.architecture.shape}, got {grounds.routing.shape}"
        )
    if isinstance(about, ExpertId):
        return _expert(plan, about, grounds)
    for function in plan.functions:
        if function.name == about:
            return _function(plan, function, grounds)
    return _constraint(plan, about)


def _expert(plan: Plan, expert: ExpertId, grounds: Grounds) -> str:
    architecture = plan.architecture
    if not architecture.has(expert):
        raise ValueError(f"the model has no expert {expert}")
    use = expected_use(architecture, grounds)
    row = architecture.layers.index(expert.layer)
    own = float(use[row, expert.index])
    rank = int((use[row] < own).sum()) + 1
    home = plan.function_of(expert)
    where = "local" if home is None else f"{plan.tier_of(expert)}, in function {home.name},"
    sentences = [
        f"Expert {expert} is {where} and weighs {architecture.expert_bytes / MIB:.1f} MiB. A "
        f"typical request sends it {own:.2f} of {use[row].sum():.0f} assignments of its "
        f"layer: the {_ordinal(rank)} least used of {architecture.experts_per_layer} there.",
        _elsewhere(plan, expert, own, grounds),
        _next_constraint(plan),
    ]
    return " ".join(sentences)


def _elsewhere(plan: Plan, expert: ExpertId, use: float, grounds: Grounds) -> str:
    """What would be if it were where it is not."""
    if grounds.profile is None:
        known = _here_and_there(plan, plan.function_of(expert), use, grounds)
        return f"{known} What moving it would change is told where there is a hardware profile."
    move = moved(plan, expert, grounds, grounds.profile)
    if move is None:
        return "There is no other place for it."
    return _told(move, grounds)


def _told(move: Move, grounds: Grounds) -> str:
    before, after = move.before, move.after
    first, step = (
        f"{1e3 * (getattr(after.latency, name) - getattr(before.latency, name)):+.3g} ms"
        for name in ("ttft_at_percentile_seconds", "tpot_at_percentile_seconds")
    )
    main, functions = (
        f"{(getattr(after, name) - getattr(before, name)) / MIB:+,.0f} MiB"
        for name in ("main_memory_bytes", "function_memory_bytes")
    )
    broken = f"That breaks: {'; '.join(move.broken)}." if move.broken else "No constraint breaks."
    return (
        f"{_place(move)} {_cost_change(move, grounds)}, TTFT {first} and TPOT {step} at the "
        f"{100 * grounds.slo.percentile:g}th percentile, main memory {main}, functions' memory "
        f"{functions}. {broken}"
    )


def _place(move: Move) -> str:
    if move.target is None:
        return "Moved beside the main model:"
    return "Moved into a new function:" if move.target == NEW else f"Moved into {move.target}:"


def _cost_change(move: Move, grounds: Grounds) -> str:
    billing, currency = grounds.offerings.billing, grounds.offerings.prices.currency
    cost = move.before.under(billing).per_request
    change = move.after.under(billing).per_request - cost
    return f"{change:+.3g} {currency} ({_percent(change, cost)}) a request under {billing} billing"


def _percent(change: float, whole: float) -> str:
    return f"{100 * change / whole:+.2g} %" if whole else "from nothing"


def _here_and_there(plan: Plan, home: FunctionPlan | None, use: float, grounds: Grounds) -> str:
    """What its memory costs beside the main model, and what it costs in a function."""
    prices, estimate = grounds.offerings.prices, plan.estimate
    gib = plan.architecture.expert_bytes / 2**30
    if estimate is None:
        return "The plan has no estimate, so nothing can be said of its cost."
    billing = grounds.offerings.billing
    cost = estimate.busy if billing is Billing.BUSY else estimate.awake
    held = cost.main_per_request / max(plan.main_memory_bytes * prices.main_gib_second, 1e-300)
    local = held * 2**30 * gib * prices.main_gib_second
    there = "in a function that is woken for it alone"
    if home is not None:
        share = plan.architecture.expert_bytes / home.memory_bytes
        whole = cost.functions_per_request / max(sum(f.memory_bytes for f in plan.functions), 1)
        remote, there = whole * home.memory_bytes * share, f"in {home.name}"
    else:
        remote = use * prices.call
    return (
        f"Beside the main model its memory costs {local:.3g} {prices.currency} a request under "
        f"{billing} billing; {there} its part is about {remote:.3g} {prices.currency}."
    )


def _next_constraint(plan: Plan) -> str:
    if plan.binding:
        return f"What keeps the plan from being cheaper: {'; '.join(plan.binding)}."
    return "No constraint binds: cost alone decided."


def _function(plan: Plan, function: FunctionPlan, grounds: Grounds) -> str:
    use = expected_use(plan.architecture, grounds)
    row_of = {layer: row for row, layer in enumerate(plan.architecture.layers)}
    own = sum(float(use[row_of[e.layer], e.index]) for e in function.experts)
    layers = len({expert.layer for expert in function.experts})
    weights = len(function.experts) * plan.architecture.expert_bytes
    cores = "" if function.cores is None else f" and {function.cores:.2g} cores"
    return (
        f"Function {function.name} is {function.tier}: {len(function.experts)} experts of {layers} "
        f"layers, {weights / MIB:.0f} MiB of weights "
        f"in {function.memory_bytes / MIB:.0f} MiB{cores}. A typical request sends it {own:.1f} of "
        f"{use.sum():.0f} assignments ({100 * own / use.sum():.2g} %). It has up to "
        f"{function.max_replicas} replicas and stays {function.keep_alive_seconds:g} s when idle."
    )


def _constraint(plan: Plan, about: str) -> str:
    if about.lower() == "load" and plan.estimate is not None and plan.estimate.load is not None:
        return told_load(plan.estimate.load)
    for constraint in plan.binding:
        if constraint.lower().startswith(about.lower()):
            return f"{constraint}: with more room the plan could be cheaper."
    known = [*(f.name for f in plan.functions), *(c.split(":")[0] for c in plan.binding)]
    raise ValueError(
        f"the plan has no function or binding constraint {about!r}; "
        f"it has {', '.join(known) if known else 'none'}"
    )


def expected_use(architecture: Architecture, grounds: Grounds) -> NDArray[np.float64]:
    """[layers, experts], assignments expected of a typical request."""
    prompt, step = grounds.routing.visits(architecture.top_k)
    work = grounds.workload
    return np.asarray(work.prompt_tokens * prompt + work.output_tokens * step)


def _ordinal(number: int) -> str:
    ending = {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{'th' if number % 100 in (11, 12, 13) else ending}"
