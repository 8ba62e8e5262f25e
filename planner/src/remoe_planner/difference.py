"""What changes from one plan to the next: which experts move, and which functions come and go."""

from __future__ import annotations

from dataclasses import dataclass

from remoe_planner.experts import ExpertId
from remoe_planner.plan import FunctionPlan, Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """One expert's change of home: a function's name, or None for the main model."""

    expert: ExpertId
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """From one plan to another of the same model.

    Attributes:
        moves: experts that change their home, ascending.
        added: functions that only the later plan has.
        removed: functions that only the earlier plan has.
        changed: functions of both whose experts, memory or bounds differ.
        main_memory_bytes: how much more (or less) the main model is given.
    """

    moves: tuple[Move, ...]
    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[str, ...]
    main_memory_bytes: int

    @property
    def is_empty(self) -> bool:
        return not (
            self.moves or self.added or self.removed or self.changed or self.main_memory_bytes
        )


def difference(before: Plan, after: Plan) -> Difference:
    """What carrying out `after` changes where `before` is carried out.

    Raises:
        ValueError: the plans are of different models or revisions.
    """
    if before.architecture != after.architecture:
        raise ValueError(
            f"the plans are of different models: {before.architecture.name} at "
            f"{before.architecture.revision} and {after.architecture.name} at "
            f"{after.architecture.revision}"
        )
    old = {function.name: function for function in before.functions}
    new = {function.name: function for function in after.functions}
    return Difference(
        moves=_moves(before, after),
        added=tuple(name for name in new if name not in old),
        removed=tuple(name for name in old if name not in new),
        changed=tuple(name for name in new if name in old and new[name] != old[name]),
        main_memory_bytes=after.main_memory_bytes - before.main_memory_bytes,
    )


def _moves(before: Plan, after: Plan) -> tuple[Move, ...]:
    homes = (
        (expert, _name(before.function_of(expert)), _name(after.function_of(expert)))
        for expert in before.architecture.experts
    )
    return tuple(
        Move(expert=expert, before=old, after=new) for expert, old, new in homes if old != new
    )


def _name(function: FunctionPlan | None) -> str | None:
    return None if function is None else function.name
