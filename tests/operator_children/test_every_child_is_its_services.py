"""Names fit, labels are valid, everything is owned, and the same makes the same."""

from __future__ import annotations

import json
import re

from builders.moe_services import DEMO, a_plan, a_service, children, served, settings
from hypothesis import given
from hypothesis import strategies as st

from remoe_operator.children.gateway import gateway
from remoe_operator.children.names import function

LABEL = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
SERVICE_NAME = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")
NAMES = st.from_regex(r"\A[a-z]([-a-z0-9]{0,38}[a-z0-9])?\Z")
PARTS = st.from_regex(r"\A(experts|layer)-[1-9][0-9]{0,3}\Z")


def labels_in(manifest):
    """Every label and selector value, wherever it stands."""
    if isinstance(manifest, dict):
        for key, value in manifest.items():
            if key in ("labels", "matchLabels", "selector") and isinstance(value, dict):
                yield from (v for v in value.values() if isinstance(v, str))
            yield from labels_in(value)
    elif isinstance(manifest, list):
        for value in manifest:
            yield from labels_in(value)


@given(name=NAMES, part=PARTS)
def test_names_and_labels_fit_whatever_the_service_is_called(name, part):
    made = children(a_service(name), a_plan(**{part.replace("-", "_"): {}}))
    for manifest in made:
        about = manifest["metadata"]
        assert SERVICE_NAME.fullmatch(about["name"]), about["name"]
        assert all(LABEL.fullmatch(value) for value in labels_in(manifest))
        for volume in manifest["spec"]["template"]["spec"]["volumes"] if is_pods(manifest) else ():
            assert SERVICE_NAME.fullmatch(volume["name"])
    assert len({(m["kind"], m["metadata"]["name"]) for m in made}) == len(made)


def is_pods(manifest):
    return manifest["kind"] in ("Deployment", "Job")


@given(st.sets(st.from_regex(r"\A[a-z][-a-z0-9]{0,80}[a-z0-9]\Z"), min_size=2, max_size=4))
def test_long_function_names_stay_apart(parts):
    names = {function("a" * 40, "01234567", part) for part in parts}
    assert len(names) == len(parts)
    assert all(len(name) <= 63 for name in names)


def test_every_child_goes_with_its_service():
    for manifest in children(a_service(uid="uid-9")):
        (owner,) = manifest["metadata"]["ownerReferences"]
        assert owner["uid"] == "uid-9"
        assert manifest["metadata"]["namespace"] == "lab"


def test_the_gateway_goes_with_the_last_of_its_services():
    both = [served(a_service(name, uid=name)) for name in ("one", "two")]
    for manifest in gateway(both, settings(), "lab"):
        owners = manifest["metadata"]["ownerReferences"]
        assert [owner["uid"] for owner in owners] == ["one", "two"]
        assert not any(owner.get("controller") for owner in owners)


def test_the_same_service_makes_the_same_children():
    assert children(a_service()) == children(a_service())


def test_children_are_plain_json():
    made = children(a_service(model=DEMO["model"] | {"dtype": "float32"}))
    assert json.loads(json.dumps(made)) == list(made)
    assert all(type(value) is str for manifest in made for value in labels_in(manifest))
