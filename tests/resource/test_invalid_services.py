"""Wrong resources are refused by types and definition alike; no rule is there for nothing."""

from __future__ import annotations

import jsonschema
import pytest
from builders.invalid_services import INVALID_SERVICES
from pydantic import ValidationError

from remoe_operator.resource.definition import definition
from remoe_operator.resource.rules import RESOURCE_RULES, RULES
from remoe_operator.resource.spec import MoEServiceSpec

SCHEMA = definition()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
BY_SCHEMA = [row for row in INVALID_SERVICES if not row.rule]
BY_RULE = [row for row in INVALID_SERVICES if row.rule]


def closed(schema):
    """The schema with unknown fields refused, as kubectl asks the API server to."""
    made = dict(schema)
    if "properties" in made:
        made["properties"] = {k: closed(v) for k, v in made["properties"].items()}
        made["additionalProperties"] = False
    if "items" in made:
        made["items"] = closed(made["items"])
    return made


SPEC_SCHEMA = jsonschema.Draft4Validator(closed(SCHEMA["properties"]["spec"]))


# Pydantic reads a number out of a text; what the API server lets through has none there.
@pytest.mark.parametrize(
    "row", [row for row in BY_SCHEMA if not row.why.endswith("as text")], ids=lambda row: row.why
)
def test_the_types_refuse_it_and_name_the_field(row):
    with pytest.raises(ValidationError) as refused:
        MoEServiceSpec.model_validate(row.spec)
    places = [".".join(map(str, error["loc"])) for error in refused.value.errors()]
    blamed = row.words[0].removeprefix("spec.")
    assert any(blamed in place for place in places), places


@pytest.mark.parametrize("row", BY_SCHEMA, ids=lambda row: row.why)
def test_the_definition_refuses_it(row):
    assert list(SPEC_SCHEMA.iter_errors(row.spec))


@pytest.mark.parametrize("row", BY_RULE, ids=lambda row: row.why)
def test_what_rules_are_there_for_no_schema_sees(row):
    assert not list(SPEC_SCHEMA.iter_errors(row.spec))
    MoEServiceSpec.model_validate(row.spec)


@pytest.mark.parametrize(
    ("path", "rule"), [(path, rule) for path, rules in RULES.items() for rule in rules]
)
def test_every_rule_has_a_resource_that_breaks_it(path, rule):
    assert f"spec.{path}{rule.field}" in {row.words[0] for row in BY_RULE}
    assert rule.field.removeprefix(".").split(".")[0] in rule.message


def test_rules_on_names_have_resources_that_break_them():
    broken = [row for row in BY_RULE if row.words[0] == "metadata.name"]
    for rule in RESOURCE_RULES:
        assert any(all(word in rule.message for word in row.words) for row in broken)


def test_no_two_rows_have_the_same_name():
    names = [row.why for row in INVALID_SERVICES]
    assert len(set(names)) == len(names) >= 30
