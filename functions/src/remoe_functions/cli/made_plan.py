"""A plan by whichever method was asked for, and what is shown beside it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from remoe_functions.cli.estimate_table import Candidate
from remoe_functions.cli.places import history_directory, profile_file
from remoe_functions.cli.plan_options import PlanMethod
from remoe_functions.cli.planning import PlanOptions, architecture_of, make_plan
from remoe_functions.cli.slo_planning import QuestionOptions, question_of
from remoe_functions.source.source import Source
from remoe_planner.demand.slo import Slo
from remoe_planner.grouping import Grouping
from remoe_planner.method import Method
from remoe_planner.plan import Plan
from remoe_planner.planning.promise import Shortfall
from remoe_planner.utility import expert_utility

_FUNCTIONS = 4
_REMOTE_SHARE = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class LeastUsed:
    """What only a plan by use alone is asked for; None: not said."""

    remote_share: float | None = None
    grouping: Grouping = Grouping.BY_USE


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MadePlan:
    """A plan with what it rests on.

    Attributes:
        plan: the plan.
        utility: [layers, experts], recorded assignments.
        slo: what was promised.
        currency: of the estimate.
        candidates: the plan's estimate and its alternatives', empty for a plan by use alone.
        shortfalls: the promises it misses.
        notes: what else is to be said of it.
    """

    plan: Plan
    utility: NDArray[np.float64]
    slo: Slo
    currency: str = ""
    candidates: tuple[Candidate, ...] = ()
    shortfalls: tuple[Shortfall, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def feasible(self) -> bool:
        return not self.shortfalls

    @property
    def sentences(self) -> Iterator[str]:
        """Everything to say, the worst first."""
        yield from (shortfall.sentence for shortfall in self.shortfalls)
        yield from self.plan.reasons
        if self.plan.binding:
            yield f"What keeps it from being cheaper: {'; '.join(self.plan.binding)}."
        yield from self.notes


def make(source: Source, method: PlanMethod, asked: QuestionOptions, by_use: LeastUsed) -> MadePlan:
    """The plan.

    Raises:
        CommandError: a file or an option cannot be used; says which.
    """
    chosen = _chosen(source, method, asked, by_use)
    if chosen is PlanMethod.LEAST_USED:
        return _by_use(source, asked, by_use)
    question = question_of(source, asked)
    planned = question.answer(Method(chosen))
    note = "No activations are recorded: every expert counts as equally used (`remoe record`)."
    return MadePlan(
        plan=planned.plan,
        utility=expert_utility(question.history),
        slo=asked.slo,
        currency=question.offerings.prices.currency,
        candidates=question.beside(planned),
        shortfalls=planned.shortfalls,
        notes=() if len(question.history) else (note,),
    )


def _chosen(
    source: Source, method: PlanMethod, asked: QuestionOptions, by_use: LeastUsed
) -> PlanMethod:
    """What `auto` means here: by cost where latency is promised, or this machine is known."""
    if method is not PlanMethod.AUTO:
        return method
    promised = asked.slo.ttft_seconds is not None or asked.slo.tpot_seconds is not None
    if promised or asked.profile is not None:
        return PlanMethod.MARGINAL
    known = by_use.remote_share is None and profile_file(source).exists()
    return PlanMethod.MARGINAL if known else PlanMethod.LEAST_USED


def _by_use(source: Source, asked: QuestionOptions, by_use: LeastUsed) -> MadePlan:
    options = PlanOptions(
        remote_share=_REMOTE_SHARE if by_use.remote_share is None else by_use.remote_share,
        functions=asked.functions or _FUNCTIONS,
        grouping=by_use.grouping,
        max_replicas=asked.max_replicas,
        keep_alive_seconds=asked.keep_alive_seconds,
    )
    history = asked.history or history_directory(source)
    planned = make_plan(architecture_of(source.directory, asked.experts), history, options)
    note = f"Cost and latency are not told: run `remoe profile {source.name}` first."
    return MadePlan(plan=planned.plan, utility=planned.utility, slo=asked.slo, notes=(note,))
