"""What the API server lets in: no resource with a mistake, and none of our pods without reason."""

import json

import pytest
from builders.invalid_services import INVALID_SERVICES, service
from e2e.chaos.parts import PARTS
from e2e.kubectl import KubectlError
from e2e.release import RESTRICTED

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def unwatched(kubectl):
    """A namespace for resources that nobody shall act on."""
    name = f"{kubectl.namespace}-refused"
    kubectl.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    yield type(kubectl)(namespace=name)
    kubectl("delete", "namespace", name, "--wait=false")


def refusal(kubectl, row):
    """The API server's words, or none."""
    if row.before:
        kubectl.apply(service(row.name, row.before))
    try:
        # Alone: what is wrong within a list, kubectl says in words of its own.
        stdin = json.dumps(service(row.name, row.spec))
        kubectl("apply", "--server-side", "--dry-run=server", "--filename=-", stdin=stdin)
    except KubectlError as error:
        return str(error)
    finally:
        if row.before:
            kubectl.delete("moeservice", row.name)
    return ""


def test_invalid_resources_are_refused_by_the_name_of_their_field(release, table, unwatched):
    with table.fault(f"{len(INVALID_SERVICES)} invalid resources") as fault:
        said = [(row, refusal(unwatched, row)) for row in INVALID_SERVICES]
        wrong = [(row.why, words) for row, words in said
                 if not words or any(word not in words for word in row.words)]  # fmt: skip
        named = len(said) - len(wrong)
        fault.say(f"{named} of {len(said)} are refused with a message that names the field")
    assert not wrong


def test_namespace_that_takes_restricted_pods_alone(table, parts, load):
    kubectl = parts.service.kubectl
    labels = kubectl.get("namespace", kubectl.namespace)["metadata"]["labels"]
    assert labels.items() >= RESTRICTED.items()
    with table.fault("namespace: enforces the restricted standard", load) as fault:
        for part in PARTS:
            parts.one(part)
        events = kubectl("get", "events", "--output=jsonpath={.items[*].message}")
        assert "violates PodSecurity" not in events
        fault.say("pods of every part run in it")
    fault.nothing_lost()
