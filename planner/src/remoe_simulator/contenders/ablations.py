"""Ours with one part taken away, so that it shows what the part is worth."""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum

from remoe_planner.choosing.pool import alike
from remoe_planner.method import Method
from remoe_planner.planning.layered import Layered, layer_options, ledger_of
from remoe_planner.planning.marginal import confirmed
from remoe_planner.planning.outcome import Outcome, nothing_fits, rank
from remoe_planner.planning.placing import Candidate, place, resident_homes, to_plan
from remoe_planner.planning.problem import Problem
from remoe_planner.preallocation.bound import Bound
from remoe_planner.preallocation.preallocation import PRINTED_KNOBS, preallocate
from remoe_simulator.contender import Contender, Waking
from remoe_simulator.contenders.judging import contender
from remoe_simulator.contenders.planned import ours, planned
from remoe_simulator.contenders.setting import Setting


class Ablation(StrEnum):
    """What is taken away."""

    NOTHING = "Remoe"
    """Ours, whole."""

    FORECASTS = "without SPS"
    """The same plan; whoever makes requests gives them the mean of the history as forecast."""

    PRINTED_BOUND = "as printed"
    """The paper's five steps with Theorem 1 as printed."""

    CORRECTED_BOUND = "as printed, bound corrected"
    """The paper's five steps with MMP's bound as it should be."""

    CROSS_LAYER = "without cross-layer choice"
    """The same share, size and replicas in every layer, the best by our estimator."""

    PRE_WARMING = "without pre-warming"
    """Our plan, functions woken when they are called."""

    REPLICAS = "without replicas"
    """Our method where no function may have more than one replica."""


def ablations(setting: Setting) -> tuple[Contender, ...]:
    """All of them, the whole one first.

    Raises:
        ValueError: nothing fits what is on offer.
    """
    whole = ours(setting)
    offered = setting.rented(gpu=setting.machine.main_on_gpu)
    single = replace(offered, max_replicas=1)
    return (
        replace(whole, name=Ablation.NOTHING),
        replace(whole, name=Ablation.FORECASTS),
        _with_bound(setting, Ablation.PRINTED_BOUND, Bound.PRINTED),
        _with_bound(setting, Ablation.CORRECTED_BOUND, Bound.CORRECTED),
        _alike(setting),
        replace(whole, name=Ablation.PRE_WARMING, waking=Waking.WHEN_CALLED),
        planned(setting, Ablation.REPLICAS, Method.MARGINAL, offerings=single),
    )


def _with_bound(setting: Setting, name: Ablation, bound: Bound) -> Contender:
    allocated = preallocate(
        setting.architecture,
        setting.routing,
        setting.beside_functions,
        setting.rented(gpu=setting.machine.main_on_gpu),
        workload=setting.workload,
        slo=setting.slo,
        knobs=replace(PRINTED_KNOBS, bound=bound),
    )
    note = "" if allocated.feasible else "MMP finds nothing that keeps the SLO at its worst."
    notes = (note,) if note else ()
    return planned(setting, name, Method.PRINTED, preallocation=allocated, notes=notes)


def _alike(setting: Setting) -> Contender:
    """Our options and our estimator, but one choice for all layers."""
    profile = setting.beside_functions
    problem = setting.problem(profile, gpu=setting.machine.main_on_gpu)
    found = _same_in_every_layer(problem)
    plan = to_plan(found.placed, Method.MARGINAL, estimate=found.estimate, reasons=(found.origin,))
    return contender(
        setting,
        Ablation.CROSS_LAYER,
        plan,
        profile,
        waking=Waking.FORECAST,
        slo=setting.slo,
    )


def _same_in_every_layer(problem: Problem) -> Outcome:
    found = []
    resident = place(problem, resident_homes(problem))
    if resident is not None:
        found.append(Outcome.of(problem, Candidate(placed=resident, origin="Everything resident")))
    options = layer_options(problem)
    if options is not None:
        dealing = alike(options.choices)
        scores = ledger_of(problem, options).score(dealing.totals)
        layers = Layered(options=options, dealings=(dealing,), scores=scores)
        found.extend(confirmed(problem, [layers]))
    if not found:
        raise nothing_fits(problem)
    return min(found, key=lambda outcome: rank(problem, outcome))
