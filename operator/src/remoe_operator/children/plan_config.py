"""The plan in a ConfigMap, which every part mounts; and the same read back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from remoe_operator.children import names
from remoe_operator.children.labels import PLAN, Component
from remoe_operator.children.manifest import Manifest, owned
from remoe_planner.plan import Plan

if TYPE_CHECKING:
    from remoe_operator.children.service import Service

PLAN_FILE: Final = "plan.json"
MADE_FROM: Final = "remoe.dev/made-from"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanInForce:
    """A plan that is carried out, or about to be.

    Attributes:
        plan: the plan.
        digest: tells what is carried out from anything else that could be (`digest_of`).
        key: of everything it was made from (`question_key`); empty where not known.
    """

    plan: Plan
    digest: str
    key: str = ""


def plan_config(service: Service, plan: PlanInForce) -> Manifest:
    """The ConfigMap `<service>-plan-<digest>` with the plan in `plan.json`.

    Apply it anew where the plan differs, with the same digest, too: bounds on replicas and the
    estimate are replaced in place.
    """
    made = owned(
        service,
        "ConfigMap",
        names.plan(service.name, plan.digest),
        Component.DATA,
        labels={PLAN: plan.digest},
        annotations={MADE_FROM: plan.key} if plan.key else None,
    )
    return made | {"data": {PLAN_FILE: plan.plan.to_json()}}


def plan_of(config_map: Manifest) -> PlanInForce:
    """Read what `plan_config` wrote.

    Raises:
        ValueError: it holds no plan, or one of another version; says which.
    """
    about = config_map["metadata"]
    try:
        text, digest = config_map["data"][PLAN_FILE], about["labels"][PLAN]
    except KeyError as error:
        raise ValueError(
            f"ConfigMap {about.get('name')}: no plan in it: {error} missing"
        ) from error
    key = (about.get("annotations") or {}).get(MADE_FROM, "")
    return PlanInForce(plan=Plan.from_json(text), digest=digest, key=key)
