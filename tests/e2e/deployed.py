"""One MoEService on the cluster, and what is to be seen of it."""

from __future__ import annotations

from dataclasses import dataclass

import yaml
from e2e.kubectl import Kubectl
from e2e.waiting import until

MADE = (
    "deployments,services,configmaps,secrets,serviceaccounts,roles,rolebindings,networkpolicies,"
    "poddisruptionbudgets,persistentvolumeclaims,jobs"
)
MANAGED = {"app.kubernetes.io/managed-by": "remoe-operator"}
READY_SECONDS = 240.0


def example(path, *, name=None, **changes):
    """The MoEService of a file, parts of its spec changed, as by experts={"keepAlive": "5s"}."""
    found = next(m for m in yaml.safe_load_all(path.read_text()) if m["kind"] == "MoEService")
    found["metadata"]["name"] = name or found["metadata"]["name"]
    for part, change in changes.items():
        found["spec"][part] = {**found["spec"].get(part, {}), **change}
    return found


@dataclass(frozen=True, kw_only=True)
class Deployed:
    """A MoEService by its name."""

    kubectl: Kubectl
    name: str

    @property
    def status(self):
        found = self.kubectl.get("moeservice", self.name)
        return (found or {}).get("status", {})

    @property
    def model(self):
        """What clients put in `model`."""
        return self.status["model"]

    def condition(self, kind="Ready"):
        """The condition of a type, or an empty one."""
        return next((c for c in self.status.get("conditions", ()) if c["type"] == kind), {})

    @property
    def is_ready(self):
        return self.condition().get("status") == "True"

    def wait_ready(self, seconds=READY_SECONDS):
        until(lambda: self.is_ready, seconds, f"{self.name} is Ready", state=self.kubectl.describe)

    def deployments(self, component):
        labels = {"app.kubernetes.io/component": component}
        return self.kubectl.list("deployments", service=self.name, labels=labels)

    @property
    def main_replicas(self):
        """Replicas of the main model that are asked for."""
        return sum(d["spec"]["replicas"] for d in self.deployments("main"))

    @property
    def functions_awake(self):
        """Names of the functions that replicas are asked for."""
        functions = self.deployments("function")
        return [f["metadata"]["name"] for f in functions if f["spec"]["replicas"]]

    @property
    def pods(self):
        """Pods that take room on a node: a Job's ended ones do not."""
        pods = self.kubectl.list("pods", service=self.name)
        return [pod for pod in pods if pod["status"]["phase"] not in ("Succeeded", "Failed")]

    def wait_functions_asleep(self, seconds):
        what = f"the functions of {self.name} sleep"
        until(lambda: not self.functions_awake, seconds, what, state=self.kubectl.describe)

    def wait_asleep(self, seconds):
        """No replica is asked for, no pod is left."""
        what = f"{self.name} sleeps"
        until(lambda: not self._awake and not self.pods, seconds, what, state=self.kubectl.describe)

    @property
    def _awake(self):
        return self.main_replicas or self.functions_awake

    def versions(self):
        """The resourceVersion of everything that the operator has made in the namespace."""
        made = self.kubectl.list(MADE, labels=MANAGED)
        return {
            f"{o['kind']}/{o['metadata']['name']}": o["metadata"]["resourceVersion"] for o in made
        }
