"""What `remoe plan explain` says: the plan, what it was made from, and the planner's words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from remoe_functions.cli.failure import CommandError
from remoe_functions.cli.planning import architecture_of, read_plan
from remoe_functions.cli.slo_planning import QuestionOptions, grounds_of, question_of
from remoe_functions.source.source import Source
from remoe_planner.experts import ExpertId
from remoe_planner.method import Method
from remoe_planner.plan import Plan
from remoe_planner.planning.explain import explain
from remoe_planner.planning.grounds import Grounds


def explanation_of(
    source: Source, asked: QuestionOptions, file: Path | None, about: Sequence[str]
) -> Iterator[str]:
    """A sentence or more for each thing asked about; of the whole plan where nothing is named.

    Raises:
        CommandError: the plan has no such thing, or what it rests on cannot be read.
    """
    plan, grounds = _plan(source, asked, file)
    if not about:
        yield from plan.reasons
    for subject in about or _everything(plan):
        try:
            yield explain(plan, _expert(subject) or subject, grounds)
        except ValueError as error:
            raise CommandError(str(error)) from error


def _plan(source: Source, asked: QuestionOptions, file: Path | None) -> tuple[Plan, Grounds]:
    if file is not None:
        plan = read_plan(file, architecture_of(source.directory))
        return plan, grounds_of(source, asked)
    question = question_of(source, asked)
    return question.answer(Method.MARGINAL).plan, question.grounds


def _everything(plan: Plan) -> list[str]:
    constraints = [words.split(":")[0] for words in plan.binding]
    return [*(function.name for function in plan.functions), *constraints]


def _expert(subject: str) -> ExpertId | None:
    try:
        return ExpertId.parse(subject)
    except ValueError:
        return None
