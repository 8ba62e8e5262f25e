"""Headless Services: their EndpointSlices say which pods of a part are ready, and where."""

from __future__ import annotations

from collections.abc import Mapping

from remoe_operator.children.manifest import Manifest


def headless(pods: Mapping[str, str], ports: Mapping[str, int]) -> Manifest:
    """The spec of a Service without an address of its own.

    Args:
        pods: labels of those it finds.
        ports: by name, as the pods name them.
    """
    return {
        "spec": {
            "clusterIP": "None",
            "selector": dict(pods),
            "ports": [
                {"name": name, "port": port, "targetPort": name, "protocol": "TCP"}
                for name, port in ports.items()
            ],
        }
    }
