"""Disk for claims where a cluster gives none: a folder of the node as a PersistentVolume.

A cluster with a default storage class needs nothing of this. The folder of a hostPath volume is
made by the kubelet for root alone, and fsGroup does not change it: a short-lived pod as root opens
it to every user, as local provisioners do, in a namespace of its own (restricted ones refuse it).
"""

from __future__ import annotations

from e2e.kubectl import Kubectl

ROOT = "/var/lib/remoe-e2e"
DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"


def provisioned(kubectl):
    """Whether claims get their disk without us."""
    marks = [c["metadata"].get("annotations", {}) for c in kubectl.list("storageclasses")]
    return any(mark.get(DEFAULT_CLASS) == "true" for mark in marks)


class Rooms:
    """Volumes for named claims; `close` takes them and what is in them away."""

    def __init__(self, image, *, namespace):
        self._image, self._namespace, self._made = image, namespace, []
        self._kubectl = Kubectl(namespace=namespace)
        self._needed = not provisioned(self._kubectl)

    def make(self, namespace, claim):
        """Disk that this claim of this namespace alone will be bound to."""
        if not self._needed:
            return
        if not self._made:
            self._kubectl.apply(_namespace(self._namespace))
        name = f"remoe-e2e-{namespace}-{claim}"
        # One that was bound to an earlier claim of the name would be bound to no other.
        self._kubectl.delete("persistentvolume", name)
        self._kubectl.apply(_volume(name, namespace, claim))
        self._on_the_node("import os; os.chmod('/rooms/ROOM', 0o777)".replace("ROOM", name), name)
        self._made.append(name)

    def close(self):
        for name in self._made:
            self._kubectl.delete("persistentvolume", name)
            self._on_the_node(f"import shutil; shutil.rmtree('/rooms/{name}')", name)
        if self._made:
            self._kubectl("delete", "namespace", self._namespace, "--wait=false")

    def _on_the_node(self, code, room):
        pod = _pod(self._image, code, room)
        self._kubectl.apply(pod)
        self._kubectl("wait", "pod/room", "--for=jsonpath={.status.phase}=Succeeded",
                      "--timeout=60s", seconds=65)  # fmt: skip
        self._kubectl.delete("pod", "room")


def _namespace(name):
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def _volume(name, namespace, claim):
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name},
        "spec": {
            "capacity": {"storage": "100Gi"},
            "accessModes": ["ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany"],
            "persistentVolumeReclaimPolicy": "Retain",
            "storageClassName": "",
            "hostPath": {"path": f"{ROOT}/{name}", "type": "DirectoryOrCreate"},
            "claimRef": {"namespace": namespace, "name": claim},
        },
    }


def _pod(image, code, room):
    code = f"import os; os.makedirs('/rooms/{room}', exist_ok=True); {code}"
    container = {
        "name": "room",
        "image": image,
        "command": ["python", "-c", code],
        "securityContext": {"runAsUser": 0},
        "volumeMounts": [{"name": "rooms", "mountPath": "/rooms"}],
    }
    volume = {"name": "rooms", "hostPath": {"path": ROOT, "type": "DirectoryOrCreate"}}
    spec = {"containers": [container], "volumes": [volume], "restartPolicy": "Never"}
    spec["terminationGracePeriodSeconds"] = 1
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "room"}, "spec": spec}
