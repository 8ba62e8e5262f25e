"""The operator's own settings: what the chart says of images, gateways and pods, as one file.

What a service asks for does not belong here: that is its resource's `spec`.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel


class SettingsError(Exception):
    """The file is missing, not JSON, or has a field that is not allowed; one readable line."""


class ImageKey(StrEnum):
    """The images that pods of the operator's making run."""

    MAIN = "main"
    EXPERT = "expert"
    GATEWAY = "gateway"
    FETCH = "fetch"


class _Section(BaseModel):
    """Part of the settings: camelCase in the file, frozen, nothing unknown."""

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True
    )


class Image(_Section):
    """One image: its whole reference, and when it is pulled."""

    image: Annotated[str, Field(min_length=1, max_length=512)]
    pull_policy: Literal["Always", "IfNotPresent", "Never"] = "IfNotPresent"


class NamedSecret(_Section):
    """A Secret by its name, in the namespace of the pods."""

    name: Annotated[str, Field(min_length=1, max_length=253)]


class Resources(_Section):
    """What a container asks for and may take, by resource name, as Kubernetes writes quantities."""

    requests: dict[str, str] = {}
    limits: dict[str, str] = {}


class GatewayServiceSettings(_Section):
    """The Service in front of every gateway."""

    type: Literal["ClusterIP", "NodePort", "LoadBalancer"] = "ClusterIP"
    annotations: dict[str, str] = {}


class GatewaySettings(_Section):
    """Every namespace's gateway.

    Attributes:
        replicas: of each.
        resources: of its container.
        service: in front of it.
        drain_seconds: what streams in flight are given after SIGTERM.
        lame_duck_seconds: how long a gateway that was told to stop still takes requests, until
            everybody knows that it goes.
        url: base address that status tells instead of the Service's; `{namespace}` stands for it.
    """

    replicas: int = Field(default=2, ge=1, le=100)
    resources: Resources = Resources(
        requests={"cpu": "100m", "memory": "256Mi"}, limits={"memory": "1Gi"}
    )
    service: GatewayServiceSettings = GatewayServiceSettings()
    drain_seconds: float = Field(default=300.0, gt=0, le=3600)
    lame_duck_seconds: float = Field(default=5.0, ge=0, le=300)
    url: str | None = Field(default=None, pattern=r"^https?://\S+$", max_length=1024)


class FetchSettings(_Section):
    """The Job that fetches weights."""

    resources: Resources = Resources(
        requests={"cpu": "100m", "memory": "256Mi"}, limits={"memory": "2Gi"}
    )


class PodSettings(_Section):
    """Every pod that the operator makes; a resource's pod template comes after."""

    node_selector: dict[str, str] = {}
    tolerations: tuple[dict[str, Any], ...] = ()
    priority_class_name: str = ""


class NetworkPolicySettings(_Section):
    """Fences around parts.

    Attributes:
        enabled: whether there are any.
        metrics_from: who may read metrics beside the operator, as NetworkPolicy peers; all pods of
            the cluster where empty.
    """

    enabled: bool = True
    metrics_from: tuple[dict[str, Any], ...] = ()


class Settings(_Section):
    """The whole file.

    Attributes:
        images: by key.
        image_pull_secrets: for every pod; the Secrets lie in the services' namespaces.
        operator_namespace: where the operator runs, to let it through network policies; None
            lets pods with its labels through from any namespace.
        watch_namespaces: namespaces looked after; all where empty.
        cluster_domain: DNS domain of the cluster.
        gateway: every namespace's gateway.
        fetch: the Job that fetches weights.
        pods: all of them.
        network_policy: fences around them.
    """

    images: dict[ImageKey, Image]
    image_pull_secrets: tuple[NamedSecret, ...] = ()
    operator_namespace: str | None = None
    watch_namespaces: tuple[str, ...] = ()
    cluster_domain: Annotated[str, Field(min_length=1, max_length=253)] = "cluster.local"
    gateway: GatewaySettings = GatewaySettings()
    fetch: FetchSettings = FetchSettings()
    pods: PodSettings = PodSettings()
    network_policy: NetworkPolicySettings = NetworkPolicySettings()

    def image(self, key: ImageKey) -> Image:
        """The image of one kind of pod."""
        return self.images[key]

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read and check the file.

        Raises:
            SettingsError: unreadable, not JSON, or a field is not allowed; one readable line.
        """
        try:
            return cls.from_json(path.read_text("utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(f"cannot read {path}: {error}") from error
        except SettingsError as error:
            raise SettingsError(f"{path}: {error}") from error

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The same from text.

        Raises:
            SettingsError: as above.
        """
        try:
            made = cls.model_validate_json(text)
        except ValidationError as error:
            raise SettingsError(_in_one_line(error)) from error
        if missing := [key.value for key in ImageKey if key not in made.images]:
            raise SettingsError(f"images: missing {', '.join(missing)}")
        return made


def _in_one_line(error: ValidationError) -> str:
    parts = (
        (".".join(str(step) for step in item["loc"]) or "file", item["msg"])
        for item in error.errors(include_url=False)
    )
    return "; ".join(f"{where}: {what}" for where, what in parts)
