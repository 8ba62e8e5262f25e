"""Expert functions on a cluster: for each of the plan's, a Deployment and a headless Service."""

from __future__ import annotations

from collections.abc import Iterator

from remoe_operator.children import names, ports
from remoe_operator.children.affinity import beside_claim
from remoe_operator.children.deployment import rolling
from remoe_operator.children.exposure import headless
from remoe_operator.children.labels import PART, PLAN, SERVICE, Component, of_service
from remoe_operator.children.main import FUNCTION_TOKEN, PLAN_FOLDER, TOKEN_KEY
from remoe_operator.children.manifest import Manifest, owned
from remoe_operator.children.plan_config import PLAN_FILE, PlanInForce
from remoe_operator.children.pod import Pod, config_volume, read_only, secret_variable, variable
from remoe_operator.children.probes import probes
from remoe_operator.children.scraping import scraped
from remoe_operator.children.service import Service
from remoe_operator.children.storage import Storage
from remoe_operator.children.template_merge import with_template
from remoe_operator.resource.quantity import cpu, memory, millicores_of
from remoe_operator.resource.spec import ExpertsSpec
from remoe_operator.settings import ImageKey, Settings
from remoe_planner.memory import MIB
from remoe_planner.plan import FunctionPlan

_DRAIN_SECONDS, _GRACE_SECONDS = 30, 40
_PATIENCE_SECONDS = 600
_PORTS = {ports.CALLS_NAME: ports.CALLS, ports.HTTP_NAME: ports.FUNCTION_HTTP}


def functions(service: Service, settings: Settings, plan: PlanInForce) -> tuple[Manifest, ...]:
    """Deployments (spec.replicas is the plan's least, for creation alone) and Services."""
    made = (_objects(service, settings, plan, function) for function in plan.plan.functions)
    return tuple(manifest for pair in made for manifest in pair)


def selector(service: str, digest: str, part: str) -> dict[str, str]:
    """Labels that find a function's pods of one plan; `part` is its name in the plan."""
    return {SERVICE: service, PART: part, PLAN: digest}


def function_args(part: str) -> Iterator[str]:
    """The expert image's arguments."""
    yield from ("--model", "/model", "--plan", f"{PLAN_FOLDER}/{PLAN_FILE}", "--function", part)
    yield from ("--host", "0.0.0.0", "--port", str(ports.CALLS))  # noqa: S104 (in a pod)
    yield from ("--metrics-port", str(ports.FUNCTION_HTTP), "--drain-seconds", str(_DRAIN_SECONDS))


def _objects(
    service: Service, settings: Settings, plan: PlanInForce, function: FunctionPlan
) -> tuple[Manifest, Manifest]:
    name = names.function(service.name, plan.digest, function.name)
    pods = selector(service.name, plan.digest, function.name)
    template = {
        "metadata": {
            "labels": of_service(service.name, Component.FUNCTION) | pods,
            "annotations": scraped(ports.FUNCTION_HTTP),
        },
        "spec": _pod(service, settings, plan, function).spec(settings),
    }
    exposed = owned(service, "Service", name, Component.FUNCTION, labels=pods)
    deployment = owned(service, "Deployment", name, Component.FUNCTION, labels=pods)
    spec = rolling(
        replicas=function.min_replicas,
        pods=pods,
        template=with_template(template, service.spec.experts.pod_template),
        patience_seconds=_PATIENCE_SECONDS,
    )
    return exposed | headless(pods, _PORTS), deployment | spec


def _pod(service: Service, settings: Settings, plan: PlanInForce, function: FunctionPlan) -> Pod:
    storage = Storage(service=service, history=False)
    plan_map = names.plan(service.name, plan.digest)
    return Pod(
        container="function",
        image=settings.image(ImageKey.EXPERT),
        args=tuple(function_args(function.name)),
        account=names.functions(service.name),
        api_token=False,
        env=(
            secret_variable(FUNCTION_TOKEN, names.token(service.name), TOKEN_KEY),
            # Without a limit it would start a thread for every core of the node.
            variable("REMOE_CPUS", f"{function.cores or 1:g}"),
        ),
        ports=_PORTS,
        mounts=(*storage.mounts, read_only("plan", PLAN_FOLDER)),
        volumes=(*storage.volumes, config_volume("plan", plan_map, [(PLAN_FILE, PLAN_FILE)])),
        resources=_resources(service.spec.experts, function),
        probes=probes(ports.HTTP_NAME),
        grace_seconds=_GRACE_SECONDS,
        affinity=beside_claim(service.spec, {SERVICE: service.name}),
    )


def _resources(experts: ExpertsSpec, function: FunctionPlan) -> dict[str, dict[str, str]]:
    """Memory as planned, all of it asked for: it is what is billed, and holds its weights whole."""
    size = memory(-(-function.memory_bytes // MIB) * MIB)
    asked = millicores_of(experts.cpu)
    requests, limits = {"cpu": cpu(asked), "memory": size}, {"memory": size}
    if function.cores is not None:
        most = max(round(1000 * function.cores), 1)
        requests["cpu"], limits["cpu"] = cpu(min(asked, most)), cpu(most)
    return {"requests": requests, "limits": limits}
