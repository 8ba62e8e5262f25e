"""Short marks that tell one plan, or one question, from another."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from hashlib import sha256
from typing import Any

from remoe_operator.children.facts_config import ModelFacts
from remoe_operator.resource.spec import MoEServiceSpec
from remoe_planner.plan import PLAN_VERSION, Plan

_MARK = 8
_MAIN = ("device", "cpu", "memory_limit", "max_batch", "max_replicas")


def digest_of(plan: Plan) -> str:
    """Eight hex digits of all that pods are made from.

    A new estimate leaves them, and so does what only the operator heeds: how many replicas a
    function may have and how long an idle one stays. Such a plan takes the other's place, and no
    pod starts anew.
    """
    functions = tuple(
        replace(function, min_replicas=0, max_replicas=1, keep_alive_seconds=0.0)
        for function in plan.functions
    )
    bare = replace(plan, functions=functions, method=None, estimate=None, binding=(), reasons=())
    return sha256(bare.to_json().encode()).hexdigest()[:_MARK]


def question_key(spec: MoEServiceSpec, facts: ModelFacts, profile: str | None = None) -> str:
    """A mark of everything a plan is made from, but recorded use: a new one asks for a new plan.

    Args:
        spec: what is asked for; only what planning reads counts.
        facts: the model.
        profile: text of the measured hardware profile, where one is named.
    """
    body = {
        "version": PLAN_VERSION,
        "spec": _read_by_planning(spec),
        "architecture": asdict(facts.architecture),
        "profile": None if profile is None else sha256(profile.encode()).hexdigest(),
    }
    return sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()[:_MARK]


def _read_by_planning(spec: MoEServiceSpec) -> dict[str, Any]:
    """How many replicas an autoscaler keeps moves no plan; whether any is kept does.

    How many there may be does, too: it says what load the plan has to carry.
    """
    asked = spec.model_dump(mode="json", include={"slo", "workload", "prices", "main", "experts"})
    main = {name: asked["main"][name] for name in _MAIN}
    keeps = spec.main.min_replicas > 0
    main |= {"keeps": keeps, "idle": None if keeps else asked["main"]["idle_timeout"]}
    experts = {k: v for k, v in asked["experts"].items() if k not in ("pod_template", "cpu")}
    return asked | {"main": main, "experts": experts}
