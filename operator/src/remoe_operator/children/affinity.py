"""Where pods would rather run: those of one service together, those of one kind apart."""

from __future__ import annotations

from collections.abc import Mapping

from remoe_operator.children.manifest import Manifest
from remoe_operator.resource.spec import AccessMode, MoEServiceSpec

_NODE = "kubernetes.io/hostname"


def beside_claim(spec: MoEServiceSpec, pods: Mapping[str, str]) -> Manifest | None:
    """On the node of the service's other pods, where the claim is mounted on one node alone.

    Only preferred: whether a claim can be had on another node is for its driver to say.
    """
    if spec.model.storage.access_mode is AccessMode.READ_WRITE_MANY:
        return None
    return {"podAffinity": _preferred(pods)}


def apart(pods: Mapping[str, str]) -> Manifest:
    """On another node than one's own kind."""
    return {"podAntiAffinity": _preferred(pods)}


def _preferred(pods: Mapping[str, str]) -> Manifest:
    term = {"labelSelector": {"matchLabels": dict(pods)}, "topologyKey": _NODE}
    return {
        "preferredDuringSchedulingIgnoredDuringExecution": [
            {"weight": 100, "podAffinityTerm": term}
        ]
    }
