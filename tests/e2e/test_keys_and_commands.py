"""A service with keys, seen by its users: with the client library, and with `remoe`."""

import time

import pytest
from e2e.asking import PROMPT, ask
from e2e.command_line import remoe
from e2e.waiting import until
from openai import AuthenticationError

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(420)]
SECRET = "guarded-keys"
FIRST, SECOND = "sk-first", "sk-second"
ROTATED_SECONDS = 120  # the kubelet's period, and what its cache may hold a Secret for


def keys(**given):
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": SECRET},
        "stringData": given,
    }


@pytest.fixture(scope="module")
def guarded(deploy, kubectl):
    """It is made before its Secret, which is what the first test is about."""
    guarded = deploy(
        "demo.yaml",
        name="guarded",
        auth={"keysSecret": SECRET},
        main={"cpu": "100m", "minReplicas": 1},
        experts={"cpu": "20m"},
    )
    yield guarded
    kubectl.delete("moeservice", guarded.name)
    kubectl.delete("secret", SECRET)


@pytest.fixture
def first(client):
    return client.with_options(api_key=FIRST)


def gateway_pods(kubectl):
    pods = kubectl.list("pods", labels={"app.kubernetes.io/component": "gateway"})
    return {(p["metadata"]["name"], p["status"]["containerStatuses"][0]["restartCount"])
            for p in pods}  # fmt: skip


def opens(client, model):
    """Whether the key opens the model."""
    try:
        return ask(client, model, max_tokens=1).account["complete"]
    except AuthenticationError:
        return False


def test_without_its_secret_it_waits_in_words_and_with_it_it_is_ready(guarded, kubectl):
    said = lambda: guarded.condition().get("reason") == "KeysSecretMissing"  # noqa: E731
    until(said, 180, "Ready names the Secret", state=kubectl.describe)
    assert SECRET in guarded.condition()["message"]
    kubectl.apply(keys(**{"team-a": FIRST}))
    guarded.wait_ready()


def test_no_key_and_a_wrong_key_are_refused(guarded, client):
    for key in ("none", "sk-wrong"):
        with pytest.raises(AuthenticationError) as refused:
            ask(client.with_options(api_key=key), guarded.model)
        assert refused.value.status_code == 401
        assert refused.value.code == "invalid_api_key"


def test_its_key_opens_it(guarded, first):
    assert ask(first, guarded.model).account["complete"]


def test_it_is_listed_to_the_holders_of_its_keys_alone(guarded, client, first):
    assert guarded.model in {model.id for model in first.models.list()}
    try:
        listed = {model.id for model in client.models.list()}
    except AuthenticationError:
        listed = set()  # there is nothing else to list
    assert guarded.model not in listed


def test_status_says_what_it_does(guarded, kubectl):
    printed = remoe("status", guarded.name, namespace=kubectl.namespace)
    assert f"{kubectl.namespace}/{guarded.name}: ready" in printed
    assert "✓ ModelFetched" in printed
    assert guarded.status["plan"]["digest"] in printed
    assert guarded.name in remoe("status", namespace=kubectl.namespace)


def test_its_plan_is_shown_with_every_function(guarded, kubectl):
    printed = remoe("plan", "--cluster", guarded.name, namespace=kubectl.namespace)
    assert "Plan in force" in printed
    assert guarded.status["plan"]["digest"] in printed


@pytest.mark.parametrize("part", ["main", "fetch", "gateway"])
def test_logs_are_those_of_a_part(guarded, kubectl, part):
    assert remoe("logs", guarded.name, "--part", part, namespace=kubectl.namespace).strip()


def test_chat_answers_what_is_typed(guarded, kubectl):
    printed = remoe(
        *("chat", "--service", guarded.name, "--key", FIRST, "--max-tokens", "12"),
        namespace=kubectl.namespace,
        stdin=f"{PROMPT}\n",
    )
    assert f"Talking to {guarded.model}" in printed
    assert "12 tokens" in printed


def test_a_key_that_is_changed_opens_it_without_a_restart(guarded, client, first, kubectl):
    pods = gateway_pods(kubectl)
    second, begun = client.with_options(api_key=SECOND), time.monotonic()
    kubectl.apply(keys(**{"team-a": SECOND}))
    until(lambda: opens(second, guarded.model), ROTATED_SECONDS, "the new key opens it")
    print(f"the new key opens it after {time.monotonic() - begun:.0f} s")
    until(lambda: not opens(first, guarded.model), ROTATED_SECONDS, "the old key does not")
    assert gateway_pods(kubectl) == pods
