"""What a pass can be about: a service, or the gateway of a namespace."""

from __future__ import annotations

from typing import NamedTuple

from remoe_operator.children import labels
from remoe_operator.children.labels import Component
from remoe_operator.cluster.kinds import MOE_SERVICE, Manifest
from remoe_operator.reconcile.observed import component_of, label


class Key(NamedTuple):
    """One thing to bring to what it ought to be.

    Attributes:
        namespace: where it is.
        service: name of the MoEService; None for the namespace's gateway.
    """

    namespace: str
    service: str | None = None

    @property
    def kind(self) -> str:
        """For metrics and logs."""
        return "gateway" if self.service is None else "service"

    def __str__(self) -> str:
        return f"{self.namespace}/{self.service or 'gateway'}"


def key_of(manifest: Manifest) -> Key | None:
    """Whose pass an object's change makes due; None for an object that is nobody's."""
    meta = manifest["metadata"]
    if manifest.get("kind") == MOE_SERVICE.name:
        return Key(meta["namespace"], meta["name"])
    if service := label(manifest, labels.SERVICE):
        return Key(meta["namespace"], service)
    return Key(meta["namespace"]) if component_of(manifest) == Component.GATEWAY else None
