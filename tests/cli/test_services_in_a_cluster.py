"""What a cluster serves is shown in words, and what cannot be asked of it is one line."""

import json
from datetime import UTC, datetime

import pytest
from cli.cluster_server import (
    SERVICES,
    ApiServer,
    condition,
    kubeconfig,
    pod,
    service,
    summary,
)

from remoe_functions.cli.cluster.moments import ago

GATEWAY = {"app.kubernetes.io/name": "remoe", "app.kubernetes.io/component": "gateway"}
FULL = {
    "observedGeneration": 2,
    "url": "http://gateway/v1",
    "model": "small",
    "fetch": {"bytesDone": 700_000_000, "bytesTotal": 1_400_000_000},
    "measuredCostPerHour": "0.04 USD",
    "conditions": [
        condition("ModelFetched", "True", "Fetched", "1.4 GB."),
        condition("Ready", "False", "FunctionFailing", "experts-2 has no memory."),
        condition("FunctionsHealthy", "False", "NoMemory", "experts-2 waits."),
    ],
    "plan": summary("1a2b3c4d", ttft="1.2s", costPerHour="0.05 USD", reasons=["It is cheapest."]),
    "proposedPlan": summary("deadbeef", functions=1, shortfalls=["TPOT 80ms: 90ms is the best."]),
    "parts": [
        {"name": "remoe-gateway", "kind": "gateway", "desired": 2, "ready": 2},
        {"name": "demo-main", "kind": "main", "desired": 1, "ready": 1},
        {"name": "demo-1a2b3c4d-experts-1", "kind": "function", "desired": 0, "ready": 0},
        {
            "name": "demo-0badcafe-experts-2",
            "kind": "function",
            "desired": 1,
            "ready": 0,
            "trouble": "no memory",
        },
    ],
    "scaling": [{"time": "2026-01-01T00:00:00Z", "part": "main", "before": 0, "after": 1}],
}
EVENT = {
    "metadata": {"name": "e", "creationTimestamp": "2026-01-01T00:00:00Z"},
    "involvedObject": {"kind": "MoEService", "name": "demo", "uid": "uid-of-demo"},
    "type": "Warning",
    "reason": "FunctionFailing",
    "message": "experts-2: no memory",
}


@pytest.fixture
def cluster(tmp_path, monkeypatch):
    server = ApiServer()
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig(tmp_path / "kubeconfig", server.url)))
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    yield server
    server.stop()


def failure(result):
    """The one line of a command that could not do it."""
    assert result.exit_code == 1
    assert len(result.stderr.strip().splitlines()) == 1
    return result.stderr


def test_services_are_listed_with_the_reason_they_wait_for(remoe, cluster):
    cluster.services = {
        "demo": service(status=FULL),
        "new": service("new", model={"uri": "hf://org/name"}),
    }
    heading, demo, new = remoe("status").stdout.splitlines()
    assert heading.split() == ["NAMESPACE", "NAME", "READY", "REASON", "MODEL", "COST/H", "AGE"]
    assert demo.split()[:5] == ["models", "demo", "False", "FunctionFailing", "demo://"]
    assert new.split()[:5] == ["models", "new", "Unknown", "NotSeenYet", "hf://org/name"]


def test_namespace_is_the_contexts_or_the_one_named(remoe, cluster):
    cluster.services = {"demo": service()}
    assert "No MoEServices in namespace other; -A looks" in remoe("status", "-n", "other").stdout
    assert "demo" in remoe("status", "--all-namespaces").stdout
    assert "demo" in remoe("status").stdout


def test_events_of_an_earlier_service_of_the_name_are_left_out(remoe, cluster):
    earlier = EVENT | {"involvedObject": EVENT["involvedObject"] | {"uid": "uid-of-another"}}
    earlier |= {"message": "of another life"}
    cluster.services, cluster.events = {"demo": service(status=FULL)}, [EVENT, earlier]
    told = remoe("status", "demo").stdout
    assert EVENT["message"] in told
    assert "of another life" not in told


def test_one_service_is_told_whole(remoe, cluster):
    cluster.services, cluster.events = {"demo": service(status=FULL)}, [EVENT]
    told = remoe("status", "demo").stdout
    lines = told.splitlines()
    assert lines[0] == "models/demo: not ready (FunctionFailing): experts-2 has no memory."
    for words in (
        "demo://, clients ask for small",
        "http://gateway/v1",
        "0.7 of 1.4 GB (50%)",
        "1a2b3c4d · 120 of 240 experts in 4 functions · TTFT 1.2s · 0.05 USD an hour",
        "deadbeef · 120 of 240 experts in 1 function",
        "remoe plan --cluster demo -n models",
        "✗ FunctionsHealthy   NoMemory: experts-2 waits.",
        "✓ ModelFetched       Fetched: 1.4 GB.",
        "experts-1  function  asleep",
        "experts-2  function  0 of 1 ready   of plan 0badcafe   no memory",
        "gateway    gateway   2 of 2 ready",
        "main: 0 → 1",
        "Warning  FunctionFailing: experts-2: no memory",
    ):
        assert words in told


def test_service_that_nobody_looked_at_says_so(remoe, cluster):
    cluster.services = {"demo": service()}
    assert "NotSeenYet" in remoe("status", "demo").stdout
    assert "is it running?" in remoe("status", "demo").stdout


def test_change_that_the_operator_has_not_seen_is_told(remoe, cluster):
    cluster.services = {"demo": service(status=FULL | {"observedGeneration": 1})}
    assert "the spec was changed" in remoe("status", "demo").stdout


def test_scripts_get_the_object_itself(remoe, cluster):
    cluster.services = {"demo": service(status=FULL)}
    assert json.loads(remoe("status", "demo", "--json").stdout)["status"] == FULL
    assert len(json.loads(remoe("status", "--json").stdout)) == 1


def test_plan_in_force_and_the_proposed_one_are_shown(remoe, cluster):
    cluster.services = {"demo": service(status=FULL)}
    told = remoe("plan", "--cluster", "demo").stdout
    assert told.index("Plan in force") < told.index("1a2b3c4d") < told.index("Proposed plan")
    assert "because     It is cheapest." in told
    assert "not kept    TPOT 80ms: 90ms is the best." in told
    assert "remoe plan --cluster demo -n models --approve" in told


def test_approval_names_the_proposed_plan(remoe, cluster):
    cluster.services = {"demo": service(status=FULL)}
    told = remoe("plan", "--cluster", "demo", "--approve").stdout
    assert "Plan deadbeef of demo is approved" in told
    annotations = {"remoe.dev/approve": "deadbeef"}
    assert ("PATCH", f"{SERVICES}/demo", {"metadata": {"annotations": annotations}}) in (
        cluster.requests
    )


def test_nothing_is_approved_where_nothing_waits(remoe, cluster):
    cluster.services = {"demo": service()}
    told = failure(remoe("plan", "--cluster", "demo", "--approve"))
    assert "no plan of demo waits for approval" in told
    assert all(method == "GET" for method, _, _ in cluster.requests)


def test_service_without_a_plan_says_why(remoe, cluster):
    waiting = {"conditions": [condition("Ready", "False", "Fetching", "10% of the weights.")]}
    cluster.services = {"demo": service(status=waiting)}
    told = remoe("plan", "--cluster", "demo").stdout
    assert told == "demo has no plan yet (Fetching): 10% of the weights.\n"
    as_json = json.loads(remoe("plan", "--cluster", "demo", "--json").stdout)
    assert as_json == {"plan": None, "proposedPlan": None}


@pytest.mark.parametrize(
    ("part", "labels"),
    [
        ("main", {"remoe.dev/service": "demo", "remoe.dev/part": "main"}),
        ("experts-1", {"remoe.dev/service": "demo", "remoe.dev/part": "experts-1"}),
        ("fetch", {"remoe.dev/service": "demo", "app.kubernetes.io/component": "fetch"}),
        ("gateway", GATEWAY),
    ],
)
def test_logs_are_those_of_the_part(remoe, cluster, part, labels):
    cluster.services = {"demo": service()}
    cluster.pods = [pod("wanted", labels), pod("other", {"remoe.dev/service": "another"})]
    cluster.logs = {"wanted": "first\nlast ü\n"}
    assert remoe("logs", "demo", "--part", part).stdout == "first\nlast ü\n"


def test_logs_of_several_pods_say_which(remoe, cluster):
    cluster.services = {"demo": service()}
    cluster.pods = [pod("a", GATEWAY), pod("b", GATEWAY), pod("c", GATEWAY, waiting="ErrImagePull")]
    cluster.logs = {"a": "one\n", "b": "two\n"}
    told = remoe("logs", "demo", "--part", "gateway").stdout
    assert told == "a  one\nb  two\nc has not started: ErrImagePull: no such image\n"


def test_part_without_pods_sleeps_or_is_none_of_the_service(remoe, cluster):
    cluster.services = {"demo": service(status=FULL)}
    assert "it sleeps" in failure(remoe("logs", "demo", "--part", "experts-1"))
    told = failure(remoe("logs", "demo", "--part", "experts-9"))
    assert "no part 'experts-9'; it has experts-1, experts-2, fetch, gateway, main" in told


def test_chat_without_a_ready_gateway_says_so(remoe, cluster):
    cluster.services = {"demo": service()}
    assert "it has no pods" in failure(remoe("chat", "--service", "demo", "Hello"))
    cluster.pods = [pod("a", GATEWAY, ready=False)]
    assert "1 of its pods start or fail" in failure(remoe("chat", "--service", "demo", "Hello"))


@pytest.mark.parametrize(
    "words", [("status", "none"), ("logs", "none"), ("plan", "--cluster", "none")]
)
def test_service_that_is_not_there_is_named(remoe, cluster, words):
    assert "no MoEService none in namespace models" in failure(remoe(*words))


def test_cluster_without_the_definition_says_what_to_install(remoe, cluster):
    cluster.knows_services = False
    told = failure(remoe("status"))
    assert "does not know MoEServices: install the chart first" in told


def test_missing_right_is_named(remoe, cluster):
    said = 'moeservices.remoe.dev is forbidden: User "me" cannot list resource "moeservices" in it'
    cluster.refusal = (403, said)
    assert "you may not list moeservices in namespace models" in failure(remoe("status"))


def test_refused_credentials_are_told(remoe, cluster):
    cluster.refusal = (401, "Unauthorized")
    assert "does not accept the kubeconfig's credentials" in failure(remoe("status"))


def test_cluster_that_cannot_be_reached_is_told(remoe, tmp_path, monkeypatch):
    server = ApiServer()
    server.stop()
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig(tmp_path / "kubeconfig", server.url)))
    told = failure(remoe("status"))
    assert f"the cluster at {server.url} cannot be reached" in told


@pytest.mark.parametrize("text", [None, "", "{", "apiVersion: v1"])
def test_kubeconfig_that_names_no_cluster_is_told(remoe, tmp_path, monkeypatch, text):
    if text is not None:
        (tmp_path / "kubeconfig").write_text(text)
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    assert "no cluster is configured here" in failure(remoe("status"))


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("2026-01-01T00:00:30Z", "30s"),
        ("2026-01-01T00:58:00+00:00", "0s"),
        ("2025-12-31T23:00:00Z", "1h"),
        ("2025-12-01T00:00:00Z", "31d"),
        ("yesterday", "?"),
        (None, "?"),
    ],
)
def test_times_are_told_as_people_do(written, words):
    now = datetime(2026, 1, 1, 0, 1, tzinfo=UTC)
    assert ago(written, now) == words
