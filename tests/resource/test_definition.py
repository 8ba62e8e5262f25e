"""The custom resource's definition: structural, described, and true to the types."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from remoe_operator.resource.definition import definition
from remoe_operator.resource.spec import MoEServiceSpec

SCHEMA = definition()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]


def nodes(schema, path=""):
    """Every object, list and field below a schema, with its path."""
    yield path, schema
    for name, below in schema.get("properties", {}).items():
        yield from nodes(below, f"{path}.{name}")
    if "items" in schema:
        yield from nodes(schema["items"], f"{path}[]")


def test_no_reference_union_or_null_is_left():
    for path, node in nodes(SCHEMA):
        assert not {"$ref", "$defs", "anyOf", "oneOf", "allOf"} & set(node), path
        assert node.get("type") not in ("null", None), path
        assert node.get("default", ...) is not None, path


def test_every_field_of_spec_and_status_is_described():
    bare = [
        path
        for path, node in nodes(SCHEMA)
        if path.startswith((".spec.", ".status.")) and "description" not in node
    ]
    assert [path for path in bare if not path.endswith("[]")] == []


def test_every_list_and_every_text_is_bounded_where_rules_read_it():
    for path, node in nodes(SCHEMA["properties"]["spec"]):
        if node["type"] == "array":
            assert "maxItems" in node, path
        if node["type"] == "string" and "enum" not in node and "pattern" in node:
            bounded = "maxLength" in node or path == ".model.storage.accessMode"
            assert bounded, path


def test_a_model_is_all_that_must_be_given():
    assert SCHEMA["required"] == ["spec"]
    assert SCHEMA["properties"]["spec"]["required"] == ["model"]
    spec = MoEServiceSpec.model_validate({"model": {"uri": "demo://"}})
    assert spec.main.idle_timeout == "5m"
    assert [tier.value for tier in spec.experts.tiers] == ["local", "always-on", "on-demand"]


def test_defaults_of_the_definition_are_those_of_the_types():
    by_hand = MoEServiceSpec.model_validate({"model": {"uri": "demo://"}})
    sections = SCHEMA["properties"]["spec"]["properties"]
    given = {name: node["default"] for name, node in sections.items() if "default" in node}
    assert MoEServiceSpec.model_validate(given | {"model": {"uri": "demo://"}}) == by_hand


def test_bounds_that_exclude_their_end_are_written_as_the_api_server_reads_them():
    percentile = SCHEMA["properties"]["spec"]["properties"]["slo"]["properties"]["percentile"]
    assert (percentile["maximum"], percentile["exclusiveMaximum"]) == (100, True)


@pytest.mark.parametrize(
    "spec",
    [
        {},
        {"model": {"uri": "s3://bucket"}},
        {"model": {"uri": "demo://"}, "slo": {"ttft": "2"}},
        {"model": {"uri": "demo://"}, "main": {"maxReplicas": 0}},
        {"model": {"uri": "demo://"}, "experts": {"tiers": []}},
        {"model": {"uri": "demo://"}, "unheard": 1},
    ],
)
def test_what_the_definition_refuses_the_types_refuse(spec):
    with pytest.raises(ValidationError):
        MoEServiceSpec.model_validate(spec)


def test_bounds_and_forms_are_told_to_whoever_asks_for_an_explanation():
    spec = SCHEMA["properties"]["spec"]["properties"]
    described = {
        "replicas": spec["main"]["properties"]["maxReplicas"],
        "percentile": spec["slo"]["properties"]["percentile"],
        "ttft": spec["slo"]["properties"]["ttft"],
        "tiers": spec["experts"]["properties"]["tiers"],
    }
    words = {name: node["description"] for name, node in described.items()}
    assert words["replicas"].endswith("From 1 to 100.")
    assert words["percentile"].endswith("From more than 0 to less than 100.")
    assert words["ttft"].endswith("A duration, such as 300ms, 2s or 1m30s.")
    assert words["tiers"].endswith("From 1 to 3 of them.")


def test_nothing_but_what_kubernetes_knows_is_in_the_schema():
    for path, node in nodes(SCHEMA):
        strangers = [key for key in node if key.startswith("x-") and "kubernetes" not in key]
        assert strangers == [], path


def test_maps_of_texts_stay_maps():
    template = SCHEMA["properties"]["spec"]["properties"]["main"]["properties"]["podTemplate"]
    labels = template["properties"]["metadata"]["properties"]["labels"]
    assert labels["additionalProperties"] == {"type": "string", "maxLength": 4096}
    assert labels["maxProperties"] == 64
    assert template["properties"]["spec"]["x-kubernetes-preserve-unknown-fields"] is True
