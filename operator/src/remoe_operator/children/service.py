"""A MoEService as its children see it: who it is, what it asks for, where it is served."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from remoe_operator.children.facts_config import ModelFacts
from remoe_operator.children.plan_config import PlanInForce
from remoe_operator.resource.spec import MoEServiceSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One MoEService, read.

    Attributes:
        name: its metadata.name.
        namespace: where it is.
        uid: the owner of every child.
        generation: of the spec.
        spec: what is asked for.
        annotations: of the resource, such as `remoe.dev/approve`.
    """

    name: str
    namespace: str
    uid: str
    generation: int
    spec: MoEServiceSpec
    annotations: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedService:
    """A service that a gateway can be given: its model is fetched and its plan is in force."""

    service: Service
    facts: ModelFacts
    plan: PlanInForce
