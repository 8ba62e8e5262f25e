"""Deployments that replace their pods one by one, new before old."""

from __future__ import annotations

from collections.abc import Mapping

from remoe_operator.children.manifest import Manifest

_HISTORY = 2


def rolling(
    *, replicas: int, pods: Mapping[str, str], template: Manifest, patience_seconds: int
) -> Manifest:
    """The spec of one.

    A new pod is up before an old one goes; where no node has room for both, as with a single GPU,
    the change waits until there is, and the condition says that the pod finds no node.

    Args:
        replicas: to begin with.
        pods: labels that find them.
        template: of them.
        patience_seconds: a pod that makes no progress for so long is reported.
    """
    return {
        "spec": {
            "replicas": replicas,
            "revisionHistoryLimit": _HISTORY,
            "progressDeadlineSeconds": patience_seconds,
            "selector": {"matchLabels": dict(pods)},
            "strategy": {
                "type": "RollingUpdate",
                "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0},
            },
            "template": template,
        }
    }
