"""What a user may say of the pods that the operator makes; merging it is not done here."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from remoe_operator.resource.base import ResourceModel

Texts = Annotated[dict[str, Annotated[str, Field(max_length=4096)]], Field(max_length=64)]
"""Labels or annotations."""


class PodMetadata(ResourceModel):
    """Marks for pods, besides the operator's."""

    labels: Texts | None = Field(
        None, description="Labels; those of remoe.dev and app.kubernetes.io are the operator's."
    )
    annotations: Texts | None = Field(None, description="Annotations.")


class PodTemplate(ResourceModel):
    """A partial pod: containers are merged by name, environment and volumes likewise.

    Its spec is checked by the API server when the pods are made, and no earlier.
    """

    metadata: PodMetadata | None = Field(None, description="Labels and annotations.")
    spec: dict[str, Any] | None = Field(
        None,
        description=(
            "A partial PodSpec. Containers, init containers, environment, volumes and pull "
            "secrets are merged by name, mounts by path, ports by number; tolerations are added, "
            "other lists replaced."
        ),
    )
