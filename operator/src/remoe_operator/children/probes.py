"""How the kubelet asks: often while a pod starts, kindly while it works.

Liveness is for processes that answer nothing for ten minutes: loading a model, or computing on
every core, must never look like death. Readiness alone decides who is sent to.
"""

from __future__ import annotations

from remoe_operator.children.manifest import Manifest

_HEALTH, _READY = "/health", "/ready"


def probes(port: str) -> Manifest:
    """Readiness and liveness of a container with /health and /ready on the port of this name.

    No startup probe: readiness is asked only after it, which costs each start about a second, and
    every process answers /health from its first moments, long before its model is loaded.
    """
    return {
        "readinessProbe": _probe(_READY, port, period=1, timeout=5, failures=3),
        "livenessProbe": _probe(_HEALTH, port, period=30, timeout=15, failures=20),
    }


def _probe(path: str, port: str, *, period: int, timeout: int, failures: int) -> Manifest:
    return {
        "httpGet": {"path": path, "port": port, "scheme": "HTTP"},
        "periodSeconds": period,
        "timeoutSeconds": timeout,
        "failureThreshold": failures,
        "successThreshold": 1,
    }
