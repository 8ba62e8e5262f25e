"""The cluster's node, for whoever wants to harm it: a pod there that may do everything."""

from __future__ import annotations

from pathlib import Path

import pytest
from e2e.kubectl import Kubectl
from e2e.waiting import until

AGENT = "node-agent"
CODE = Path(__file__).with_name("node_agent.py")


class Node:
    """The only node of a cluster.

    Args:
        namespace: made for the agent, which no restricted one takes; `close` removes it.
        image: has Python and util-linux.
    """

    def __init__(self, namespace, image):
        self._kubectl = Kubectl(namespace=namespace)
        nodes = self._kubectl.list("nodes")
        if len(nodes) != 1:
            pytest.skip(f"faults of the node are for clusters of one; this has {len(nodes)}")
        self.name = nodes[0]["metadata"]["name"]
        self.address = next(
            a["address"] for a in nodes[0]["status"]["addresses"] if a["type"] == "InternalIP"
        )
        self._kubectl.apply(
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
        )
        self._kubectl.apply(_agent(image))
        self._kubectl("wait", f"pod/{AGENT}", "--for=condition=Ready", "--timeout=60s", seconds=65)

    def close(self):
        self._kubectl("delete", "namespace", self._kubectl.namespace, "--wait=false")

    def kill(self, pod):
        """Its containers end as by a crash."""
        self._do("kill", pod["metadata"]["uid"])

    def freeze(self, process, seconds):
        """The process of this name stands still for so long; it goes on whatever happens here."""
        self._do("freeze", process, str(seconds))

    def restart(self, process, seconds):
        """The process of this name is killed, and is back some seconds later."""
        self._do("restart", process, str(seconds))

    def mount(self, folder, size_bytes):
        """A small file system on the node's folder."""
        self._do("mount", folder, str(size_bytes))

    def enlarge(self, folder, size_bytes):
        self._do("enlarge", folder, str(size_bytes))

    def unmount(self, folder):
        self._do("unmount", folder)

    def cordon(self):
        self._kubectl("cordon", self.name)

    def uncordon(self):
        self._kubectl("uncordon", self.name)

    def wait_ready(self, seconds):
        def ready():
            conditions = self._kubectl.get("node", self.name)["status"]["conditions"]
            return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)

        until(ready, seconds, "the node is Ready")

    def _do(self, *words):
        command = ("exec", "--stdin", AGENT, "--", "python", "-", *words)
        self._kubectl(*command, stdin=CODE.read_text())


def _agent(image):
    container = {
        "name": "agent",
        "image": image,
        "command": ["python", "-c", "import time; time.sleep(86400)"],
        "securityContext": {"privileged": True, "runAsUser": 0},
    }
    spec = {
        "containers": [container],
        "hostPID": True,
        "terminationGracePeriodSeconds": 1,
        "tolerations": [{"operator": "Exists"}],
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": AGENT}, "spec": spec}
