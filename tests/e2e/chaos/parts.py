"""The parts of a service as pods, and whether all of them are well."""

from __future__ import annotations

import json
import subprocess

from e2e.kubectl import KubectlError
from e2e.waiting import until

KEEP_ALIVE_SECONDS, IDLE_SECONDS = 15, 30
PARTS = ("main", "function", "gateway", "operator")
COMPONENT = "app.kubernetes.io/component"
REMOE = {"app.kubernetes.io/name": "remoe"}


def is_ready(pod):
    conditions = pod["status"].get("conditions", ())
    gone = "deletionTimestamp" in pod["metadata"]
    return not gone and any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


def reachable(question):
    """The question, where an API server that does not answer means no."""

    def answered():
        try:
            return question()
        except (KubectlError, subprocess.TimeoutExpired):
            return False

    return answered


class Parts:
    """The parts of one service, the gateway and operator that it shares among them."""

    def __init__(self, service, operator_kubectl):
        self.service, self._operator = service, operator_kubectl

    def pods(self, part):
        """All pods of a part, whatever they are doing."""
        if part == "operator":
            return self._operator.list("pods", labels=REMOE | {COMPONENT: part})
        of = None if part == "gateway" else self.service.name
        return self.service.kubectl.list("pods", service=of, labels=REMOE | {COMPONENT: part})

    def ready_pods(self, part):
        return [pod for pod in self.pods(part) if is_ready(pod)]

    def one(self, part, seconds=90):
        """A pod of the part that works."""
        found = until(lambda: self.ready_pods(part), seconds, f"a pod of {part} is ready",
                      state=self.describe)  # fmt: skip
        return found[0]

    def delete(self, pod, *options):
        """Deleted; whether it is gone is not waited for."""
        kubectl = type(self._operator)(namespace=pod["metadata"]["namespace"])
        kubectl("delete", "pod", pod["metadata"]["name"], "--wait=false", *options)

    def evict(self, pod):
        """Asked for as a drain does; whether its disruption budget let it go."""
        name, namespace = pod["metadata"]["name"], pod["metadata"]["namespace"]
        body = {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": name, "namespace": namespace},
        }
        path = f"/api/v1/namespaces/{namespace}/pods/{name}/eviction"
        try:
            self._operator("create", "--raw", path, "--filename=-", stdin=json.dumps(body))
        except KubectlError as error:
            if "disruption budget" not in str(error):
                raise
            return False
        return True

    def scale_operator(self, replicas):
        """Asked for, and so."""
        found = self._operator.list("deployments", labels=REMOE | {COMPONENT: "operator"})
        self._operator.scale("deployment", found[0]["metadata"]["name"], replicas)
        until(lambda: len(self.pods("operator")) == replicas, 60, f"{replicas} operators are left")

    def well(self):
        """Ready says so, and every replica that is asked for works, no other."""
        if not self.service.is_ready or len(self.ready_pods("operator")) != 1:
            return False
        made = self.service.kubectl.list("deployments", labels=REMOE)
        return all(map(_settled, made)) and not any(map(_dying, self._made_pods()))

    def wait_well(self, seconds):
        what = "everything is well"
        until(reachable(self.well), seconds, what, state=reachable(self.describe))

    def describe(self):
        return self.service.kubectl.describe()

    def _made_pods(self):
        return [pod for part in ("main", "function", "gateway") for pod in self.pods(part)]


def _dying(pod):
    return "deletionTimestamp" in pod["metadata"]


def _settled(deployment):
    asked, now = deployment["spec"]["replicas"], deployment["status"]
    seen = now.get("observedGeneration") == deployment["metadata"]["generation"]
    counts = [now.get(name, 0) for name in ("replicas", "readyReplicas", "updatedReplicas")]
    return seen and counts == [asked] * 3
