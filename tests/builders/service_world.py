"""A cluster with one MoEService on it, and the hands of Kubernetes' own controllers."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime

from builders.api_server import ApiServer

from remoe_operator.cluster.events import EventRecorder
from remoe_operator.cluster.objects import Objects
from remoe_operator.reconcile.gateways import Gateways
from remoe_operator.reconcile.planning import Planning
from remoe_operator.reconcile.reconciler import Reconciler
from remoe_operator.settings import Settings
from remoe_planner.architecture import Architecture

NAMESPACE = "models"
IMAGES = {key: {"image": f"example/{key}:1"} for key in ("main", "expert", "gateway", "fetch")}
SETTINGS = Settings.from_json(json.dumps({"images": IMAGES}))
ARCHITECTURE = Architecture(
    name="tiny",
    revision="abc",
    layers=tuple(range(4)),
    experts_per_layer=8,
    top_k=2,
    hidden_size=64,
    expert_bytes=4 << 20,
    main_bytes=64 << 20,
)


class SilentPods:
    """Pods that say what they are told to say; nothing to begin with."""

    def __init__(self):
        self.used = None
        self.told = None

    async def progress(self, pod):
        return self.told

    async def usage(self, gateways, model):
        return self.used


class World:
    """Passes of the operator on one side, Kubernetes' controllers on the other."""

    def __init__(self):
        self.api = ApiServer()
        self.pods = SilentPods()
        self.clock = 0.0
        self.start()

    def start(self):
        """A new operator, with nothing in its memory."""
        self.errors = {}
        self.planning = Planning(self.pods, clock=lambda: self.clock)
        objects = Objects(self.api)
        events = EventRecorder(self.api)
        self.reconciler = Reconciler(
            objects, events, self.pods, self.planning, SETTINGS, self.errors
        )
        self.gateways = Gateways(objects, SETTINGS, self.errors)

    def ask(self, name="chat", **spec):
        """Create a MoEService."""
        spec = {"model": {"uri": "demo://"}} | spec
        return self.api.put(
            {
                "apiVersion": "remoe.dev/v1alpha1",
                "kind": "MoEService",
                "metadata": {"name": name, "namespace": NAMESPACE},
                "spec": spec,
            }
        )

    def edit(self, patch, name="chat"):
        """Change one."""
        return self.api.edit("moeservices", NAMESPACE, name, patch)

    async def step(self, name="chat"):
        """A pass over the service, and one over the gateway."""
        done = await self.reconciler.reconcile(NAMESPACE, name)
        await self.gateways.reconcile(NAMESPACE)
        return done

    async def settle(self, name="chat", rounds=5):
        """Passes, with Kubernetes at work between them."""
        for _ in range(rounds):
            done = await self.step(name)
            self.run_deployments()
        return done

    async def served(self, name="chat", **spec):
        """A service whose model is fetched and whose parts run."""
        self.ask(name, **spec)
        await self.step(name)
        self.finish_fetch(name)
        return await self.settle(name)

    def service(self, name="chat"):
        return self.api.objects["moeservices", NAMESPACE, name]

    def conditions(self, name="chat"):
        """Conditions by type, as (status, reason, message)."""
        said = self.service(name).get("status", {}).get("conditions", ())
        return {c["type"]: (c["status"], c["reason"], c["message"]) for c in said}

    def bind_claims(self):
        for name in self.api.all("persistentvolumeclaims"):
            self.api.change("persistentvolumeclaims", NAMESPACE, name, status={"phase": "Bound"})

    def finish_fetch(self, name="chat", architecture=ARCHITECTURE, revision="abc"):
        """The fetch Job ends well."""
        self.bind_claims()
        said = {"architecture": asdict(architecture), "revision": revision, "bytes": 1 << 30}
        self._end_job(name, "Complete", 0, said)

    def fail_fetch(self, reason, message, name="chat", exit_code=2, at=None):
        """The fetch Job gives up."""
        self.bind_claims()
        said = {"error": {"reason": reason, "message": message}}
        self._end_job(name, "Failed", exit_code, said, at=at)

    def _end_job(self, service, how, exit_code, said, at=None):
        (job,) = [j for j in self.api.all("jobs") if j.startswith(f"{service}-fetch")]
        ended = {"exitCode": exit_code, "message": json.dumps(said)}
        labels = self.api.objects["jobs", NAMESPACE, job]["spec"]["template"]["metadata"]["labels"]
        self.api.put(
            pod(
                f"{job}-x",
                labels | {"job-name": job},
                {
                    "phase": "Failed" if exit_code else "Succeeded",
                    "containerStatuses": [{"state": {"terminated": ended}}],
                },
            )
        )
        when = at or datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        conditions = [{"type": how, "status": "True", "lastTransitionTime": when}]
        self.api.change("jobs", NAMESPACE, job, status={"conditions": conditions})

    def run_deployments(self, broken=()):
        """Pods as Deployments ask for, ready at once but for those of broken Deployments."""
        for name, deployment in self.api.all("deployments").items():
            wanted = deployment["spec"]["replicas"]
            template = deployment["spec"]["template"]
            mark = template["metadata"]["labels"]
            mine = [p for p in self.api.all("pods") if p.startswith(f"{name}-pod-")]
            for old in mine:
                del self.api.objects["pods", NAMESPACE, old]
            ready = name not in broken
            for number in range(wanted):
                made = pod(f"{name}-pod-{number}", mark, READY if ready else UNSCHEDULABLE)
                made["spec"] = template["spec"]
                self.api.put(made)
            status = {"replicas": wanted, "readyReplicas": wanted if ready else 0}
            self.api.change("deployments", NAMESPACE, name, status=status)

    def scale(self, name, replicas):
        """Somebody wakes a part, or puts it to sleep, through the subresource."""
        return self.api._merge(
            ("deployments", NAMESPACE, name), {"spec": {"replicas": replicas}}, "scale", "gateway"
        )


READY = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
UNSCHEDULABLE = {
    "phase": "Pending",
    "conditions": [
        {
            "type": "PodScheduled",
            "status": "False",
            "reason": "Unschedulable",
            "message": "0/1 nodes are available: 1 Insufficient memory.",
        }
    ],
}


def pod(name, labels, status):
    """A pod."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": NAMESPACE, "labels": labels},
        "spec": {},
        "status": status,
    }
