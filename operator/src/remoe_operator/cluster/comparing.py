"""Whether an object already is as wanted, so that nothing need be written.

Two questions, since neither alone is enough. The stamp tells whether the very manifest was
applied before, so that what left it is noticed; containment tells whether somebody changed what
it says since.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from remoe_operator.cluster.kinds import Manifest

STAMP = "remoe.dev/applied"
_KEYS = ("name", "uid", "mountPath", "containerPort", "port")
_QUANTITY = re.compile(r"^([0-9]+(?:\.[0-9]+)?)(m|k|M|G|T|Ki|Mi|Gi|Ti)?$")
_UNITS = {
    "m": Decimal("0.001"),
    "": Decimal(1),
    **{unit: Decimal(1000) ** power for power, unit in enumerate(("k", "M", "G", "T"), start=1)},
    **{unit: Decimal(1024) ** power for power, unit in enumerate(("Ki", "Mi", "Gi", "Ti"), 1)},
}


def stamped(manifest: Manifest) -> Manifest:
    """The manifest with its own hash in an annotation."""
    text = json.dumps(manifest, sort_keys=True)
    meta = manifest["metadata"]
    mark = {STAMP: hashlib.sha256(text.encode()).hexdigest()[:16]}
    return manifest | {"metadata": meta | {"annotations": (meta.get("annotations") or {}) | mark}}


def is_as_wanted(wanted: Manifest, live: Manifest) -> bool:
    """Whether applying a stamped manifest would change nothing."""
    return contains(live, wanted)


def contains(live: Any, wanted: Any) -> bool:  # noqa: ANN401 - any JSON value
    """Whether everything that is wanted stands in the live value; what stands beside it may."""
    if not wanted and not live:
        return True  # the API server leaves out what is empty, zero or false
    if isinstance(wanted, Mapping):
        return isinstance(live, Mapping) and all(
            contains(live.get(key), value) for key, value in wanted.items()
        )
    if isinstance(wanted, list):
        return isinstance(live, list) and _contains_list(live, wanted)
    return bool(live == wanted) or _same_quantity(live, wanted)


def _contains_list(live: list[Any], wanted: list[Any]) -> bool:
    keyed = all(isinstance(e, Mapping) and any(key in e for key in _KEYS) for e in wanted)
    if keyed:  # such lists are merged by key: others may have added to them
        return all(any(contains(have, element) for have in live) for element in wanted)
    return len(live) == len(wanted) and all(map(contains, live, wanted))


def _same_quantity(live: Any, wanted: Any) -> bool:  # noqa: ANN401 - any JSON value
    ours, theirs = _QUANTITY.match(str(wanted)), _QUANTITY.match(str(live))
    if ours is None or theirs is None:
        return False
    return _amount(ours) == _amount(theirs)


def _amount(match: re.Match[str]) -> Decimal:
    return Decimal(match[1]) * _UNITS[match[2] or ""]
