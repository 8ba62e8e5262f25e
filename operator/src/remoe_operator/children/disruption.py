"""Disruption budgets: a drained node takes one pod of a part at a time."""

from __future__ import annotations

from collections.abc import Mapping

from remoe_operator.children.manifest import Manifest


def budget(pods: Mapping[str, str], *, replicas: int) -> Manifest:
    """The spec of one; pods that do not work never hold a drain up.

    Args:
        pods: labels of those it is about.
        replicas: kept at all times, where one of them must stay; a lone one may be taken, since
            it wakes elsewhere, and a drain that nothing lets through helps nobody.
    """
    kept = {"minAvailable": 1} if replicas > 1 else {"maxUnavailable": 1}
    return {
        "spec": {
            "selector": {"matchLabels": dict(pods)},
            "unhealthyPodEvictionPolicy": "AlwaysAllow",
            **kept,
        }
    }
