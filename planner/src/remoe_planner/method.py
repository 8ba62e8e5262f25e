"""The ways to make a plan, by name. What each of them does stands in the modules named here."""

from __future__ import annotations

from enum import StrEnum


class Method(StrEnum):
    """Chosen by a value; every one of them makes the same kind of plan."""

    LEAST_USED = "least-used"
    """A stated share of the experts, the least used ones (`least_used`); asks for no SLO."""

    PRINTED = "printed"
    """The paper's five steps as printed, where they are well defined."""

    MARGINAL = "marginal"
    """Ours: experts, memory and replicas of all layers together, by what each is worth."""
