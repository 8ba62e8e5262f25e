"""MoEServices, the facts of a small model, plans of it, and an operator's settings."""

from __future__ import annotations

import json

from remoe_operator.children.facts_config import ModelFacts
from remoe_operator.children.fetch_job import fetch_job
from remoe_operator.children.foundation import foundation
from remoe_operator.children.function import functions
from remoe_operator.children.gateway import gateway
from remoe_operator.children.main import main
from remoe_operator.children.plan_config import PlanInForce, plan_config
from remoe_operator.children.service import ServedService, Service
from remoe_operator.planned.digest import digest_of
from remoe_operator.resource.spec import MoEServiceSpec
from remoe_operator.settings import ImageKey, Settings
from remoe_planner.architecture import Architecture
from remoe_planner.experts import ExpertId
from remoe_planner.memory import MIB
from remoe_planner.plan import FunctionPlan, Plan

DEMO = {"model": {"uri": "demo://"}}
SHAPE = Architecture(
    name="small",
    revision="abc",
    layers=(0, 1, 2),
    experts_per_layer=8,
    top_k=2,
    hidden_size=64,
    expert_bytes=4 * MIB,
    main_bytes=100 * MIB,
    cache_bytes_per_token=1024,
)


def a_spec(**sections):
    return MoEServiceSpec.model_validate(DEMO | sections)


def a_service(name="demo", *, uid="uid-1", annotations=None, **sections):
    return Service(
        name=name,
        namespace="lab",
        uid=uid,
        generation=1,
        spec=a_spec(**sections),
        annotations=annotations or {},
    )


def facts(architecture=SHAPE):
    return ModelFacts(architecture=architecture, revision="abc", bytes=architecture.total_bytes)


def a_plan(**by_function):
    """A plan whose functions have the names given, each with settings of its own."""
    served = tuple(
        FunctionPlan(
            name=name.replace("_", "-"),
            experts=(ExpertId(0, number),),
            memory_bytes=132 * MIB,
            **given,
        )
        for number, (name, given) in enumerate((by_function or {"experts_1": {}}).items())
    )
    plan = Plan(architecture=SHAPE, functions=served, main_memory_bytes=1220 * MIB)
    return PlanInForce(plan=plan, digest=digest_of(plan))


def settings(**sections):
    images = {key.value: {"image": f"remoe/{key.value}:1"} for key in ImageKey}
    return Settings.from_json(json.dumps({"images": images} | sections))


def served(service, plan=None):
    return ServedService(service=service, facts=facts(), plan=plan or a_plan())


def children(service, plan=None, operator=None):
    """Everything that one service alone makes, its gateway included."""
    plan, operator = plan or a_plan(), operator or settings()
    return (
        *foundation(service, operator),
        fetch_job(service, operator, "1"),
        plan_config(service, plan),
        *functions(service, operator, plan),
        *main(service, operator, facts(), plan),
        *gateway([served(service, plan)], operator, service.namespace),
    )


def only(manifests, kind, name=None):
    """The one manifest of a kind, and of a name if it is given."""
    (found,) = (
        one for one in manifests if one["kind"] == kind and name in (None, one["metadata"]["name"])
    )
    return found


def pod_specs(manifests):
    return [one["spec"]["template"]["spec"] for one in manifests if one["kind"] in PODS]


PODS = ("Deployment", "Job")
