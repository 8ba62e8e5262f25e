"""The main model on a cluster: its Deployment, headless Service and disruption budget."""

from __future__ import annotations

from collections.abc import Iterator

from remoe_operator.children import names, ports
from remoe_operator.children.affinity import apart, beside_claim
from remoe_operator.children.deployment import rolling
from remoe_operator.children.disruption import budget
from remoe_operator.children.exposure import headless
from remoe_operator.children.facts_config import ModelFacts
from remoe_operator.children.labels import MAIN_PART, PART, PLAN, SERVICE, Component, of_service
from remoe_operator.children.main_memory import memory_limit_bytes, memory_request_bytes
from remoe_operator.children.manifest import Manifest, owned
from remoe_operator.children.plan_config import PLAN_FILE, PlanInForce
from remoe_operator.children.pod import Pod, config_volume, read_only, secret_variable, variable
from remoe_operator.children.probes import probes
from remoe_operator.children.scraping import scraped
from remoe_operator.children.service import Service
from remoe_operator.children.storage import Storage
from remoe_operator.children.template_merge import with_template
from remoe_operator.resource.quantity import bytes_of, cpu, memory, millicores_of
from remoe_operator.resource.spec import Device, MoEServiceSpec
from remoe_operator.settings import ImageKey, Settings

TOKEN_KEY = "token"  # noqa: S105 (a key's name)
FUNCTION_TOKEN = "REMOE_FUNCTION_TOKEN"  # noqa: S105 (a variable's name)
PLAN_FOLDER = "/etc/remoe/plan"
REVISION = "remoe.dev/revision"
_DEFAULT_CPU = "500m"
_DRAIN_SECONDS, _GRACE_SECONDS = 45, 60
_HISTORY_PERCENT = 90
# Loading hundreds of gigabytes from a network disk is slow, and no fault.
_PATIENCE_SECONDS = 3600


def main(
    service: Service, settings: Settings, facts: ModelFacts, plan: PlanInForce
) -> tuple[Manifest, ...]:
    """Deployment (spec.replicas is the initial number, for creation alone), Service and budget."""
    name, pods = names.main(service.name), selector(service.name)
    labels = of_service(service.name, Component.MAIN) | pods | {PLAN: plan.digest}
    template = {
        "metadata": {
            "labels": labels,
            "annotations": {REVISION: facts.revision} | scraped(ports.API),
        },
        "spec": _pod(service, settings, plan).spec(settings),
    }
    deployment = owned(service, "Deployment", name, Component.MAIN, labels={PART: MAIN_PART})
    exposed = owned(service, "Service", name, Component.MAIN, labels={PART: MAIN_PART})
    kept = owned(service, "PodDisruptionBudget", name, Component.MAIN)
    least = service.spec.main.min_replicas
    return (
        exposed | headless(pods, {ports.HTTP_NAME: ports.API}),
        kept | budget(pods, replicas=least),
        deployment
        | rolling(
            replicas=max(least, 1),
            pods=pods,
            template=with_template(template, service.spec.main.pod_template),
            patience_seconds=_PATIENCE_SECONDS,
        ),
    )


def selector(service: str) -> dict[str, str]:
    """Labels that find a service's main pods, whatever their plan."""
    return {SERVICE: service, PART: MAIN_PART}


def main_args(spec: MoEServiceSpec) -> Iterator[str]:
    """The main image's arguments."""
    yield from ("--model", "/model", "--plan", f"{PLAN_FOLDER}/{PLAN_FILE}")
    yield from ("--host", "0.0.0.0", "--port", str(ports.API))  # noqa: S104 (in a pod)
    yield from ("--max-batch", str(spec.main.max_batch), "--dtype", spec.model.dtype.value)
    yield from ("--device", "cuda" if spec.main.device is Device.GPU else "cpu")
    yield from ("--drain-seconds", str(_DRAIN_SECONDS))
    if spec.main.max_context is not None:
        yield from ("--max-context", str(spec.main.max_context))
    if spec.history.enabled:
        # A file system takes its own part of a claim that may be of just this size.
        size = bytes_of(spec.history.max_size) * _HISTORY_PERCENT // 100
        yield from ("--history", "/history", "--history-bytes", str(size))


def _pod(service: Service, settings: Settings, plan: PlanInForce) -> Pod:
    storage = Storage(service=service)
    plan_map = names.plan(service.name, plan.digest)
    return Pod(
        container="main",
        image=settings.image(ImageKey.MAIN),
        args=tuple(main_args(service.spec)),
        account=names.main(service.name),
        api_token=True,
        env=tuple(_environment(service, plan)),
        ports={ports.HTTP_NAME: ports.API},
        mounts=(*storage.mounts, read_only("plan", PLAN_FOLDER)),
        volumes=(*storage.volumes, config_volume("plan", plan_map, [(PLAN_FILE, PLAN_FILE)])),
        resources=_resources(service.spec, plan),
        probes=probes(ports.HTTP_NAME),
        grace_seconds=_GRACE_SECONDS,
        affinity=beside_claim(service.spec, {SERVICE: service.name})
        or apart(selector(service.name)),
    )


def _environment(service: Service, plan: PlanInForce) -> Iterator[Manifest]:
    yield secret_variable(FUNCTION_TOKEN, names.token(service.name), TOKEN_KEY)
    yield variable("REMOE_NAMESPACE", service.namespace)
    yield variable("REMOE_SERVICE", service.name)
    yield variable("REMOE_PLAN", plan.digest)
    if service.spec.main.cpu is not None:
        # More threads than cores that are its own only wait for each other.
        threads = max(1, millicores_of(service.spec.main.cpu) // 1000)
        yield variable("OMP_NUM_THREADS", str(threads))


def _resources(spec: MoEServiceSpec, plan: PlanInForce) -> dict[str, dict[str, str]]:
    requests = {
        "cpu": cpu(millicores_of(spec.main.cpu or _DEFAULT_CPU)),
        "memory": memory(memory_request_bytes(spec, plan.plan)),
    }
    limits = {"memory": memory(memory_limit_bytes(spec, plan.plan))}
    if spec.main.device is Device.GPU:
        requests[spec.main.gpu_resource] = limits[spec.main.gpu_resource] = "1"
    return {"requests": requests, "limits": limits}
