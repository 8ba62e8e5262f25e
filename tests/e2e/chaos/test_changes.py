"""Services come, change and go beside the one that is asked all the while."""

import time

import pytest
from e2e.asking import ask
from e2e.chaos.leftovers import left
from e2e.waiting import until
from openai import NotFoundError

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.timeout(900)]
ANSWER_TOKENS = 4


@pytest.fixture
def beside(deploy, kubectl):
    """Makes services beside; they are gone afterwards."""
    made = []

    def make(name):
        main, experts = {"idleTimeout": "20s", "cpu": "100m"}, {"cpu": "20m"}
        made.append(deploy("demo.yaml", name=name, main=main, experts=experts))
        return made[-1]

    yield make
    for service in made:
        kubectl.delete("moeservice", service.name)
        until(lambda s=service: not left(s), 90, "nothing is left", state=kubectl.describe)


def test_two_services_at_once_and_one_of_them_is_renamed(table, parts, load, beside, client):
    with table.fault("a second service comes, and is asked", load) as fault:
        second = beside("second")
        second.wait_ready()
        fault.healed_seconds = time.monotonic() - fault.begun
        assert ask(client, second.model, max_tokens=ANSWER_TOKENS).account["complete"]
        assert {m.id for m in client.models.list()} >= {second.model, parts.service.model}
    fault.nothing_lost()
    with table.fault("it is renamed: another comes, it goes", load) as fault:
        renamed = beside("renamed")
        renamed.wait_ready()
        old = second.model
        second.kubectl.delete("moeservice", second.name)
        fault.over()
        fault.heals(lambda: not left(second), "nothing of it is left", state=parts.describe)
        assert ask(client, renamed.model, max_tokens=ANSWER_TOKENS).account["complete"]
        with pytest.raises(NotFoundError):
            ask(client, old)
    fault.nothing_lost()


def test_deletion_while_the_main_model_loads(table, parts, load, beside, kubectl):
    short = beside("short")
    short.wait_ready()
    with table.fault("service: deleted while its main model loads", load) as fault:
        kubectl.scale("deployment", f"{short.name}-main", 1)
        until(lambda: loading(short), 60, "its main model loads", state=parts.describe)
        fault.over()
        kubectl.delete("moeservice", short.name)
        fault.heals(lambda: not left(short), "nothing is left", state=parts.describe)
    fault.nothing_lost()


def loading(service):
    """A container of its main model runs, and is not ready."""
    labels = {"app.kubernetes.io/component": "main"}
    pods = service.kubectl.list("pods", service=service.name, labels=labels)
    states = [c for pod in pods for c in pod["status"].get("containerStatuses", ())]
    return any("running" in c["state"] and not c["ready"] for c in states)


@pytest.fixture
def share(parts):
    """Sets how much of the model runs in functions, which makes another plan."""
    service = parts.service

    def set_to(value):
        change = {"spec": {"experts": {"remoteShare": value}}}
        service.kubectl.patch("moeservice", service.name, change)

    yield set_to
    set_to(None)


def digest(service):
    return (service.status.get("plan") or {}).get("digest")


def plans(service):
    """Digests of the plans of which something is left."""
    made = service.kubectl.list("configmaps,deployments", service=service.name)
    found = {o["metadata"]["labels"].get("remoe.dev/plan") for o in made}
    return found - {None}


def follows(service, other):
    """One plan, another than that, is all there is."""
    now = digest(service)
    return now != other and plans(service) == {now}


def test_edit_during_a_roll_out(table, parts, load, share):
    service, before = parts.service, digest(parts.service)
    with table.fault("spec: edited while an edit rolls out", load) as fault:
        share(0.25)
        between = until(lambda: plans(service) - {before}, 60, "a plan comes")
        share(0.75)
        fault.over()
        rolled = lambda: plans(service).isdisjoint({before, *between})  # noqa: E731
        fault.heals(lambda: rolled() and follows(service, before) and parts.well(),
                    "the last plan alone is there", state=parts.describe)  # fmt: skip
    fault.nothing_lost()


def test_operator_ends_during_a_roll_out(table, node, parts, load, share):
    service, before = parts.service, digest(parts.service)
    with table.fault("operator: killed while an edit rolls out", load) as fault:
        share(0.3)
        until(lambda: plans(service) - {before}, 60, "a plan comes")
        node.kill(parts.one("operator"))
        fault.heals(lambda: follows(service, before) and parts.well(),
                    "the new plan alone is there", state=parts.describe)  # fmt: skip
    fault.nothing_lost()
