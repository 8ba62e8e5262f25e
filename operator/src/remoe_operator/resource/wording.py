"""What is allowed, in words: in descriptions (`kubectl explain` shows no bounds) and in refusals.

Said of what a user writes, never of status.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

FORM = "x-form"
"""Where a type says in which form its texts are; no part of a schema as it is applied."""


def explained(schema: Mapping[str, Any]) -> dict[str, Any]:
    """A structural schema with the bounds of every field in its description."""
    made = {key: value for key, value in schema.items() if key != FORM}
    said = " ".join(filter(None, [schema.get("description", ""), *_allowed(schema)]))
    if said:
        made["description"] = said
    if FORM in schema:
        # Beside the pattern, which nobody reads who does not know what is meant.
        rule = f"self.matches(r'{schema['pattern']}')"
        made["x-kubernetes-validations"] = [{"rule": rule, "message": f"must be {schema[FORM]}"}]
    if "properties" in made:
        made["properties"] = {name: explained(one) for name, one in made["properties"].items()}
    return made


def _allowed(node: Mapping[str, Any]) -> Iterator[str]:
    if FORM in node:
        form = str(node[FORM])
        yield f"{form[0].upper()}{form[1:]}."
    least, most = _bound(node, "minimum", "more than"), _bound(node, "maximum", "less than")
    if least and most:
        yield f"From {least} to {most}."
    elif least:
        yield f"At least {least}."
    elif most:
        yield f"At most {most}."
    if "maxItems" in node:
        yield f"From {node.get('minItems', 0)} to {node['maxItems']} of them."


def _bound(node: Mapping[str, Any], name: str, open_end: str) -> str:
    """A bound in words."""
    if name not in node:
        return ""
    ends_before = node.get(f"exclusive{name.capitalize()}", False)
    return f"{open_end} {node[name]:,g}" if ends_before else f"{node[name]:,g}"
