"""A user's pod template over ours: a strategic merge, as kubectl's patches are.

By hand because the merge keys are in the API server's own types, which no Python package carries.
Lists whose entries have a key are merged by it, tolerations and spread constraints are added,
other lists replaced; null takes a field away. Labels of the operator's own cannot be given.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from remoe_operator.children.manifest import Manifest
from remoe_operator.resource.pod_template import PodTemplate

_KEYS = {
    "containers": "name",
    "initContainers": "name",
    "env": "name",
    "volumes": "name",
    "imagePullSecrets": "name",
    "volumeMounts": "mountPath",
    "volumeDevices": "devicePath",
    "ports": "containerPort",
    "hostAliases": "ip",
}
# Of a variable and of a volume one source alone is allowed: theirs takes the place of ours.
_WHOLE = frozenset({"env", "volumes"})
_ADDED = frozenset({"tolerations", "topologySpreadConstraints"})


def with_template(pod: Manifest, template: PodTemplate | None) -> Manifest:
    """A pod template of ours with the user's merged over it.

    Args:
        pod: `metadata` and `spec`; left as it is.
        template: the user's.
    """
    if template is None:
        return pod
    over: Manifest = {}
    if template.metadata is not None:
        over["metadata"] = template.metadata.model_dump(exclude_none=True)
    if template.spec is not None:
        over["spec"] = template.spec
    merged = _merged(pod, over)
    ours = pod["metadata"].get("labels", {})
    merged["metadata"]["labels"] = merged["metadata"].get("labels", {}) | ours
    return merged


def _merged(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> dict[str, Any]:
    result = copy.deepcopy(dict(ours))
    for name, value in theirs.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = _value(name, result.get(name), value)
    return result


def _value(name: str, ours: Any, theirs: Any) -> Any:  # noqa: ANN401 (JSON of any kind)
    if isinstance(ours, dict) and isinstance(theirs, dict):
        return _merged(ours, theirs)
    if isinstance(ours, list) and isinstance(theirs, list):
        if name in _ADDED:
            return [*ours, *(one for one in theirs if one not in ours)]
        if name in _KEYS:
            return _by_key(ours, theirs, _KEYS[name], whole=name in _WHOLE)
    return copy.deepcopy(theirs)


def _by_key(ours: list[Any], theirs: list[Any], key: str, *, whole: bool) -> list[Any]:
    """Ours in their order with theirs merged in, or put in their places; new ones after them."""
    result = list(ours)
    places = {one.get(key): index for index, one in enumerate(ours)}
    for one in theirs:
        place = places.get(one.get(key)) if isinstance(one, dict) else None
        if place is None:
            result.append(copy.deepcopy(one))
        else:
            result[place] = copy.deepcopy(one) if whole else _merged(result[place], one)
    return result
