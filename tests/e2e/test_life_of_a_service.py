"""One service of the demo example from its creation to its end, in the order of its life."""

import time

import pytest
from e2e.asking import ask
from e2e.deployed import MADE, MANAGED
from e2e.waiting import until

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(420)]
KEEP_ALIVE, IDLE_TIMEOUT = 8, 25
OPERATOR = {"app.kubernetes.io/name": "remoe", "app.kubernetes.io/component": "operator"}


@pytest.fixture(scope="module")
def demo(deploy):
    demo = deploy(
        "demo.yaml",
        experts={"keepAlive": f"{KEEP_ALIVE}s"},
        main={"idleTimeout": f"{IDLE_TIMEOUT}s"},
    )
    yield demo
    demo.kubectl.delete("moeservice", demo.name)


@pytest.fixture(scope="module")
def operator(release, demo):
    """Scales the operator, and has it back in the end."""
    kubectl = type(demo.kubectl)(namespace=release.namespace)

    def scale(replicas):
        name = kubectl.list("deployments", labels=OPERATOR)[0]["metadata"]["name"]
        kubectl.scale("deployment", name, replicas)
        kubectl("rollout", "status", f"deployment/{name}", "--timeout=90s", seconds=95)
        what = f"{replicas} pods of the operator are left"
        until(lambda: len(kubectl.list("pods", labels=OPERATOR)) == replicas, 60, what)

    yield scale
    scale(1)


def test_the_example_becomes_ready_and_says_where_it_is(demo):
    demo.wait_ready()
    status = demo.status
    assert status["url"].endswith("/v1")
    assert status["plan"]["remoteExperts"] > 0
    assert {c["status"] for c in status["conditions"]} == {"True"}
    printed = demo.kubectl("get", "moe", demo.name)
    assert "demo://" in printed
    assert status["url"] in printed


def test_the_official_client_gets_a_streamed_answer(demo, client):
    answer = ask(client, demo.model)
    assert len(answer.pieces) > 5
    assert answer.completion_tokens == 24
    assert answer.account["complete"]


def test_helm_test_completes_a_prompt(demo, release):
    assert "Succeeded" in release.test()


def test_idle_functions_fall_asleep_while_main_is_awake_and_a_prompt_wakes_them(demo, client):
    ask(client, demo.model, max_tokens=1)
    demo.wait_functions_asleep(KEEP_ALIVE + 30)
    assert demo.is_ready, "a function that sleeps is a healthy one"
    answer = ask(client, demo.model, max_tokens=48)
    assert answer.account["complete"]
    until(lambda: demo.functions_awake, 20, "a function wakes", state=demo.kubectl.describe)
    until(
        lambda: ask(client, demo.model).account["functions"], 60, "functions take part in answers"
    )
    demo.wait_functions_asleep(KEEP_ALIVE + 30)


def test_the_main_model_falls_asleep_and_a_request_wakes_it(demo, client):
    demo.wait_asleep(IDLE_TIMEOUT + 60)
    assert demo.is_ready, "a service that sleeps is a healthy one"
    begun = time.monotonic()
    answer = ask(client, demo.model)
    print(f"first token after {answer.first_token_seconds:.1f} s from asleep")
    assert answer.account["complete"]
    assert answer.account["held_seconds"] > 0
    assert time.monotonic() - begun < 120


def test_the_same_prompt_has_the_same_greedy_answer_whoever_computed_it(demo, client):
    first = ask(client, demo.model)
    assert ask(client, demo.model).text == first.text


def test_requests_wake_everything_while_the_operator_is_away(demo, client, operator):
    demo.wait_asleep(IDLE_TIMEOUT + 60)
    operator(0)
    assert ask(client, demo.model, max_tokens=48).account["complete"]
    until(lambda: demo.functions_awake, 20, "a function wakes", state=demo.kubectl.describe)
    operator(1)
    demo.wait_asleep(IDLE_TIMEOUT + 90)


def test_an_operator_that_starts_again_changes_nothing(demo, operator):
    demo.wait_asleep(IDLE_TIMEOUT + 60)
    before = demo.versions()
    operator(0)
    operator(1)
    demo.kubectl("annotate", "moeservice", demo.name, "tests/look-again=now")
    seen = demo.kubectl.get("moeservice", demo.name)["metadata"]["generation"]
    until(lambda: demo.status["observedGeneration"] == seen, 30, "the operator has looked")
    time.sleep(5)
    assert demo.versions() == before


def test_deleting_it_leaves_nothing(demo):
    demo.kubectl.delete("moeservice", demo.name)
    left = lambda: demo.kubectl.list(f"{MADE},pods", labels=MANAGED)  # noqa: E731
    names = lambda: str([f"{o['kind']}/{o['metadata']['name']}" for o in left()])  # noqa: E731
    until(lambda: not left(), 90, "nothing is left", state=names)
