"""What the plan gives this process to serve, read and checked against the checkpoint."""

from __future__ import annotations

from pathlib import Path

from remoe_functions.checkpoint.checkpoint import Checkpoint
from remoe_planner.plan import FunctionPlan, Plan


class AssignmentError(Exception):
    """The plan cannot be read, is another model's, or has no such function."""


def read_plan(path: Path) -> Plan:
    """Read a plan.

    Raises:
        AssignmentError: the file cannot be read or is not a plan.
    """
    try:
        return Plan.from_json(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise AssignmentError(f"plan {path}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise AssignmentError(f"plan {path}: {error}") from error


def function_of(plan: Plan, name: str) -> FunctionPlan:
    """The function of that name.

    Raises:
        AssignmentError: the plan has none; says which it has.
    """
    functions = {function.name: function for function in plan.functions}
    if name not in functions:
        known = ", ".join(sorted(functions)) or "none"
        raise AssignmentError(f"the plan has no function {name!r}; it has {known}")
    return functions[name]


def check_same_model(plan: Plan, checkpoint: Checkpoint) -> None:
    """See that the plan was made for these weights.

    Raises:
        AssignmentError: it was made for others.
    """
    planned, found = plan.architecture, checkpoint.revision
    if planned.revision != found:
        raise AssignmentError(
            f"the plan is for model {planned.name} of revision {planned.revision}, "
            f"{checkpoint.directory} holds revision {found}"
        )
