"""The chart is upgraded, taken away and installed again; clients ask a service all the while."""

import json
import time

import pytest
from e2e.asking import ask, asked
from e2e.deployed import MADE, MANAGED
from e2e.kubectl import Kubectl
from e2e.waiting import until

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.timeout(420)]
OPERATOR = {"app.kubernetes.io/name": "remoe", "app.kubernetes.io/component": "operator"}
INSTALLED = (
    "deployments,services,configmaps,serviceaccounts,roles,rolebindings,networkpolicies,"
    "clusterroles,clusterrolebindings,customresourcedefinitions"
)
DEFINITION = "moeservices.remoe.dev"
KEEP_ALIVE, IDLE_TIMEOUT = 10, 30


@pytest.fixture(scope="module")
def served(deploy, kubectl):
    """Its main model sleeps when idle, so that it can be seen whether anything puts it to sleep."""
    served = deploy(
        "demo.yaml",
        name="upgraded",
        experts={"keepAlive": f"{KEEP_ALIVE}s", "cpu": "20m"},
        main={"idleTimeout": f"{IDLE_TIMEOUT}s", "cpu": "100m"},
    )
    served.wait_ready()
    yield served
    kubectl.delete("moeservice", served.name)


def operator_pod(release):
    pods = Kubectl(namespace=release.namespace).list("pods", labels=OPERATOR)
    return pods[0]["metadata"]["name"] if pods else None


def pods(served):
    """Pods of main model and gateway, and how often their containers were started anew."""
    labels = MANAGED | {"app.kubernetes.io/name": "remoe"}
    found = served.kubectl.list("pods", labels=labels)
    return {
        pod["metadata"]["name"]: [c["restartCount"] for c in pod["status"]["containerStatuses"]]
        for pod in found
        if pod["metadata"]["labels"]["app.kubernetes.io/component"] in ("main", "gateway")
    }


def specs(served):
    """The generation of everything with a spec: what is changed gets another."""
    made = served.kubectl.list(MADE, labels=MANAGED)
    return {
        f"{o['kind']}/{o['metadata']['name']}": o["metadata"].get("generation")
        for o in made
        # Functions wake and sleep meanwhile.
        if o["metadata"]["labels"]["app.kubernetes.io/component"] != "function"
    }


def is_looked_at(served):
    """The operator takes in a change by which nothing of what it makes changes."""
    main = served.kubectl.get("moeservice", served.name)["spec"]["main"]
    change = {"spec": {"main": {"maxReplicas": main["maxReplicas"] + 1}}}
    served.kubectl.patch("moeservice", served.name, change)
    generation = served.kubectl.get("moeservice", served.name)["metadata"]["generation"]
    seen = lambda: served.status["observedGeneration"] == generation  # noqa: E731
    until(seen, 60, "the operator has looked", state=served.kubectl.describe)


def test_an_upgrade_replaces_the_operator_and_nothing_else(served, release, client):
    ask(client, served.model, max_tokens=1)
    before, operator = (pods(served), specs(served)), operator_pod(release)
    with asked(client, served.model):
        release.upgrade(operator__resources__requests__memory="161Mi")
        assert operator_pod(release) != operator
        is_looked_at(served)
        time.sleep(5)
    assert (pods(served), specs(served)) == before


def test_changed_settings_of_gateways_roll_out_without_a_lost_request(served, release, client):
    before = pods(served)
    with asked(client, served.model):
        release.upgrade(gateway__resources__requests__memory="257Mi")
        until(lambda: gateways(served).isdisjoint(before), 180, "the gateways are new ones",
              state=served.kubectl.describe)  # fmt: skip
    assert {name for name in pods(served) if "gateway" not in name} <= set(before)


def gateways(served):
    return {name for name in pods(served) if "gateway" in name}


def test_without_the_operator_models_go_on_and_a_new_installation_takes_over(
    served, release, client, kubectl
):
    release.upgrade(crds__keep="true")  # as it is where nobody says otherwise
    ask(client, served.model, max_tokens=1)
    before = (pods(served), specs(served))
    with asked(client, served.model):
        release.uninstall()
        until(lambda: operator_pod(release) is None, 60, "the operator is gone")
        assert left_of(release) <= {f"CustomResourceDefinition/{DEFINITION}"}
        assert kubectl.get("moeservice", served.name)
        time.sleep(IDLE_TIMEOUT / 3)
        assert (pods(served), specs(served)) == before

        release.install(test__namespace=kubectl.namespace, crds__keep="true")
        is_looked_at(served)
        time.sleep(5)
        assert (pods(served), specs(served)) == before
    served.wait_asleep(IDLE_TIMEOUT + 90)


def left_of(release):
    """What the chart has made, in namespaces and beside them, and is still there."""
    of_helm = "app.kubernetes.io/managed-by=Helm"
    asked = ("get", INSTALLED, "--all-namespaces", "--selector", of_helm, "--output=json")
    found = json.loads(Kubectl(namespace=release.namespace)(*asked))["items"]
    return {
        f"{o['kind']}/{o['metadata']['name']}"
        for o in found
        if o["metadata"]["annotations"].get("meta.helm.sh/release-namespace") == release.namespace
    }


def test_after_the_last_service_an_uninstalled_chart_leaves_the_definition(
    served, release, kubectl
):
    kubectl.delete("moeservice", served.name)
    made = lambda: kubectl.list(f"{MADE},pods", labels=MANAGED)  # noqa: E731
    until(lambda: not made(), 90, "nothing is left", state=kubectl.describe)
    try:
        release.uninstall()
        assert left_of(release) <= {f"CustomResourceDefinition/{DEFINITION}"}
        assert kubectl.get("customresourcedefinition", DEFINITION)
    finally:
        release.install(test__namespace=kubectl.namespace)
