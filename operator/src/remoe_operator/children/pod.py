"""The pod that all parts share: who it runs as, what it may, where it goes.

Every pod passes the `restricted` standard: no root, no capabilities, no writable root, the
runtime's seccomp profile.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from remoe_operator.children.manifest import Manifest
from remoe_operator.settings import Image, Settings

USER = 65532
_TMP = {"name": "tmp", "mountPath": "/tmp"}  # noqa: S108 (a path in the container)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pod:
    """What differs between parts.

    Attributes:
        container: name of the container.
        image: what it runs; command and user are the image's.
        args: of the command.
        account: its service account.
        api_token: whether it may talk to the API server.
        env: environment, in order.
        ports: by name.
        mounts: besides /tmp.
        volumes: besides that of /tmp.
        resources: requests and limits.
        probes: by name, as Kubernetes calls them.
        grace_seconds: from being told to stop until it is killed.
        affinity: where it would rather run.
    """

    container: str
    image: Image
    args: tuple[str, ...]
    account: str
    api_token: bool
    resources: Mapping[str, Mapping[str, str]]
    ports: Mapping[str, int]
    env: tuple[Manifest, ...] = ()
    mounts: tuple[Manifest, ...] = ()
    volumes: tuple[Manifest, ...] = ()
    probes: Manifest = field(default_factory=dict)
    grace_seconds: int = 30
    affinity: Manifest | None = None

    def spec(self, settings: Settings) -> Manifest:
        """Its PodSpec."""
        return {
            "serviceAccountName": self.account,
            "automountServiceAccountToken": self.api_token,
            "enableServiceLinks": False,
            "terminationGracePeriodSeconds": self.grace_seconds,
            "securityContext": _pod_security(),
            "containers": [self._container()],
            "volumes": [*self.volumes, {"name": "tmp", "emptyDir": {}}],
            **({"affinity": self.affinity} if self.affinity else {}),
            **_placing(settings),
        }

    def _container(self) -> Manifest:
        given: Manifest = {
            "args": list(self.args),
            "env": list(self.env),
            "ports": [
                {"name": name, "containerPort": port, "protocol": "TCP"}
                for name, port in self.ports.items()
            ],
            "resources": {name: dict(amounts) for name, amounts in self.resources.items()},
        }
        return {
            "name": self.container,
            "image": self.image.image,
            "imagePullPolicy": self.image.pull_policy,
            "terminationMessagePolicy": "FallbackToLogsOnError",
            "securityContext": _container_security(),
            "volumeMounts": [*self.mounts, _TMP],
            **{name: value for name, value in given.items() if value},
            **self.probes,
        }


def variable(name: str, value: str) -> Manifest:
    """One environment variable."""
    return {"name": name, "value": value}


def secret_variable(name: str, secret: str, key: str) -> Manifest:
    """One whose value is in a Secret."""
    return {"name": name, "valueFrom": {"secretKeyRef": {"name": secret, "key": key}}}


def config_volume(name: str, config_map: str, keys: Iterable[tuple[str, str]]) -> Manifest:
    """A ConfigMap's keys as files."""
    items = [{"key": key, "path": path} for key, path in keys]
    return {"name": name, "configMap": {"name": config_map, "items": items}}


def read_only(name: str, path: str) -> Manifest:
    """A mount that is only read."""
    return {"name": name, "mountPath": path, "readOnly": True}


def _pod_security() -> Manifest:
    return {
        "runAsNonRoot": True,
        "runAsUser": USER,
        "runAsGroup": USER,
        "fsGroup": USER,
        # Changing the owner of every file of a model takes minutes: only where the root differs.
        "fsGroupChangePolicy": "OnRootMismatch",
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def _container_security() -> Manifest:
    return {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def _placing(settings: Settings) -> Manifest:
    pods = settings.pods
    given: Manifest = {
        "nodeSelector": dict(pods.node_selector),
        "tolerations": [dict(toleration) for toleration in pods.tolerations],
        "priorityClassName": pods.priority_class_name,
        "imagePullSecrets": [{"name": secret.name} for secret in settings.image_pull_secrets],
    }
    return {name: value for name, value in given.items() if value}
