"""A plan from what is known here: the model's folder, its recorded history, and the options."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from remoe_functions.checkpoint.checkpoint import Checkpoint
from remoe_functions.cli.failure import CommandError
from remoe_functions.history.reader import read_history
from remoe_planner.architecture import Architecture
from remoe_planner.grouping import Grouping
from remoe_planner.least_used import FunctionKnobs, plan_least_used
from remoe_planner.plan import Plan
from remoe_planner.prices import DEFAULT_GPU_PRICES, DEFAULT_PRICES, Prices
from remoe_planner.utility import expert_utility


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanOptions:
    """What a first plan is asked for; bounds are checked by the planner."""

    remote_share: float = 0.5
    functions: int = 4
    grouping: Grouping = Grouping.BY_USE
    max_replicas: int = 1
    keep_alive_seconds: float = 60.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Planned:
    """A plan and the recorded use that it was made from.

    Attributes:
        plan: the plan.
        utility: [layers, experts], recorded assignments.
        requests: recorded requests.
    """

    plan: Plan
    utility: NDArray[np.float64]
    requests: int


def architecture_of(directory: Path, experts: Path | None = None) -> Architecture:
    """The shape of the model in a folder, with experts of its own or from a sidecar."""
    checkpoint = Checkpoint.open(directory, sidecar=experts)
    try:
        return checkpoint.architecture
    finally:
        checkpoint.close()


def make_plan(architecture: Architecture, history: Path, options: PlanOptions) -> Planned:
    """The first plan.

    Raises:
        CommandError: an option is out of bounds.
    """
    recorded = read_history(history, architecture)
    utility = expert_utility(recorded)
    try:
        knobs = FunctionKnobs(
            max_replicas=options.max_replicas, keep_alive_seconds=options.keep_alive_seconds
        )
        plan = plan_least_used(
            architecture,
            utility,
            remote_share=options.remote_share,
            functions=options.functions,
            grouping=options.grouping,
            knobs=knobs,
        )
    except ValueError as error:
        raise CommandError(str(error)) from error
    return Planned(plan=plan, utility=utility, requests=len(recorded))


def read_plan(path: Path, architecture: Architecture | None = None) -> Plan:
    """A plan from its file, and for this model if one is given.

    Raises:
        CommandError: it cannot be read, is no plan, or is for another model or revision.
    """
    try:
        plan = Plan.from_json(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise CommandError(f"cannot use the plan {path}: {error}") from error
    if architecture is not None and _other_experts(plan.architecture, architecture):
        raise CommandError(
            f"the plan {path} is for experts of {plan.architecture.expert_bytes} bytes, these have "
            f"{architecture.expert_bytes}: make it again with the same --experts"
        )
    if architecture is not None and plan.architecture != architecture:
        raise CommandError(
            f"the plan {path} is for {plan.architecture.name} at revision "
            f"{plan.architecture.revision}, the model is {architecture.name} at revision "
            f"{architecture.revision}"
        )
    return plan


def _other_experts(planned: Architecture, found: Architecture) -> bool:
    """Whether two shapes differ in the bits of their experts alone."""
    same_size = replace(planned, expert_bytes=found.expert_bytes)
    return planned.expert_bytes != found.expert_bytes and same_size == found


def read_prices(path: Path | None, *, gpu: bool = False) -> Prices:
    """A price list from its TOML file; a default one, for CPU or GPU, where there is none.

    Raises:
        CommandError: it cannot be read, or says what it must not.
    """
    if path is None:
        return DEFAULT_GPU_PRICES if gpu else DEFAULT_PRICES
    try:
        return Prices.from_toml(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise CommandError(f"cannot use the price list {path}: {error}") from error
