"""A JSON Schema as Kubernetes takes it: structural, with no references and no null types.

Written by hand because the generators on the package index make resources from types of their
own, and none keeps pydantic's; what is needed is these few rules.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Schema = dict[str, Any]
_DROPPED = ("title", "$defs", "additionalProperties", "const")


def structural(schema: Mapping[str, Any]) -> Schema:
    """The schema with every reference put in its place.

    Args:
        schema: of an object, as pydantic makes it; never recursive.
    """
    return _convert(schema, schema.get("$defs", {}))


def _convert(node: Mapping[str, Any], definitions: Mapping[str, Any]) -> Schema:
    merged = _resolved(node, definitions)
    made = {key: value for key, value in merged.items() if key not in _DROPPED}
    made = _without_nulls(made)
    for bound in ("Minimum", "Maximum"):
        exclusive = made.pop(f"exclusive{bound}", None)
        if exclusive is not None:
            made |= {bound.lower(): exclusive, f"exclusive{bound}": True}
    if "properties" in made:
        made["properties"] = {
            name: _convert(value, definitions) for name, value in made["properties"].items()
        }
    elif isinstance(merged.get("additionalProperties"), Mapping):
        made["additionalProperties"] = _convert(merged["additionalProperties"], definitions)
    elif made.get("type") == "object":
        made["x-kubernetes-preserve-unknown-fields"] = True
    if "items" in made:
        made["items"] = _convert(made["items"], definitions)
    return made


def _without_nulls(schema: Schema) -> Schema:
    """A default that says nothing is none; so is each part of one."""
    default = schema.pop("default", None)
    if isinstance(default, dict):
        default = {k: _without_nulls({"default": v}).get("default") for k, v in default.items()}
        default = {k: v for k, v in default.items() if v is not None}
    return schema if default is None else schema | {"default": default}


def _resolved(node: Mapping[str, Any], definitions: Mapping[str, Any]) -> Schema:
    """The node with its reference and its one non-null alternative merged in; its own words win."""
    own = {key: value for key, value in node.items() if key not in ("$ref", "anyOf")}
    if "$ref" in node:
        return _resolved(definitions[node["$ref"].rsplit("/", 1)[1]], definitions) | own
    if "anyOf" in node:
        (real,) = (choice for choice in node["anyOf"] if choice.get("type") != "null")
        return _resolved(real, definitions) | own
    return own
