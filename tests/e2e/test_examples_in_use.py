"""Examples applied for real, with less CPU than they ask for: nodes of tests are small."""

import pytest
import yaml
from builders import tiny_checkpoints
from builders.model_hub import COMMIT
from e2e.asking import ask, asked
from e2e.command_line import remoe
from e2e.deployed import MADE
from e2e.release import ROOT
from e2e.waiting import stays, until
from e2e.weights import filling, published, with_words

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]
SMALL_MAIN, SMALL_EXPERTS = {"cpu": "100m"}, {"cpu": "20m"}
PLAN_SECONDS = 60


@pytest.fixture
def use(deploy, kubectl):
    """Applies the MoEService of an example; it is gone afterwards."""
    made = []

    def used(file, *, main=(), experts=(), **changes):
        main, experts = SMALL_MAIN | dict(main), SMALL_EXPERTS | dict(experts)
        made.append(deploy(file, main=main, experts=experts, **changes))
        return made[-1]

    yield used
    for service in made:
        kubectl.delete("moeservice", service.name)
        left = lambda of=service: kubectl.list(f"{MADE},pods", service=of.name)  # noqa: E731
        until(lambda left=left: not left(), 90, "nothing is left", state=kubectl.describe)


def beside(file, kind):
    """What an example has besides its MoEService."""
    found = yaml.safe_load_all((ROOT / "examples" / file).read_text())
    return next(manifest for manifest in found if manifest["kind"] == kind)


def planned(service, *reasons):
    """The condition of its plan, once it gives one of these reasons."""

    def said():
        condition = service.condition("Planned")
        return condition if condition.get("reason") in reasons else None

    what = f"Planned says {reasons}"
    return until(said, 180, what, state=service.kubectl.describe)


def test_a_plan_waits_for_a_person_and_is_then_carried_out(use, kubectl, connect):
    careful = use("approval.yaml")
    assert "approve" in planned(careful, "WaitsForApproval")["message"]
    digest = careful.status["proposedPlan"]["digest"]
    stays(lambda: not careful.deployments("main"), 3, "nothing is made of it")

    shown = remoe("plan", "--cluster", careful.name, namespace=kubectl.namespace)
    assert "Proposed plan" in shown
    said = remoe("plan", "--cluster", careful.name, "--approve", namespace=kubectl.namespace)
    assert digest in said
    careful.wait_ready()
    assert careful.status["plan"]["digest"] == digest
    assert ask(connect(), careful.model).account["complete"]

    kubectl.patch("moeservice", careful.name, {"spec": {"experts": {"remoteShare": 0.3}}})
    until(lambda: careful.status.get("proposedPlan"), PLAN_SECONDS, "another plan is proposed")
    assert careful.status["plan"]["digest"] == digest
    assert careful.is_ready, "the plan in force goes on"


@pytest.mark.slow
def test_a_promise_is_planned_for_at_least_cost_and_its_keeping_is_said(use, kubectl, connect):
    strict = use("strict-slo.yaml")
    strict.wait_ready()
    plan = strict.status["plan"]
    assert plan["method"] == "marginal"
    assert plan["ttft"]
    assert plan["tpot"]
    assert plan["costPerHour"].endswith("USD")
    kept = planned(strict, "Planned", "PromiseMissed")
    assert (kept["reason"] == "Planned") == (not plan.get("shortfalls")), kept
    assert ask(connect(), strict.model).account["complete"]

    kubectl.patch("moeservice", strict.name, {"spec": {"slo": {"tpot": "1ms"}}})
    missed = planned(strict, "PromiseMissed")
    print(missed["message"])
    assert "TPOT of 1.0 ms cannot be promised" in missed["message"]
    assert missed["message"] in strict.condition()["message"]


@pytest.mark.slow
def test_an_autoscaler_raises_the_floor_and_the_operator_follows_the_load(use, kubectl, connect):
    main = {"maxReplicas": 2, "maxBatch": 1, "idleTimeout": "20s"}
    busy = use("autoscaling.yaml", main=main)
    kubectl.apply(beside("autoscaling.yaml", "HorizontalPodAutoscaler"))
    try:
        busy.wait_ready()
        can_scale = lambda: hpa_condition(kubectl, busy.name, "AbleToScale") == "True"  # noqa: E731
        until(can_scale, 60, "the autoscaler reads /scale", state=kubectl.describe)
    finally:
        kubectl.delete("hpa", busy.name)

    scale_to(busy, 2)
    scale_to(busy, 1)

    with asked(connect(), busy.model, clients=4, max_tokens=16):
        more = lambda: busy.main_replicas == 2  # noqa: E731
        until(more, 60, "one replica is added for the load", state=kubectl.describe)
        both = lambda: busy.condition("MainAvailable")["message"].startswith("2 of 2")  # noqa: E731
        until(both, 90, "both answer", state=kubectl.describe)
    until(lambda: busy.main_replicas == 1, 120, "the added replica goes", state=kubectl.describe)
    assert busy.is_ready


def hpa_condition(kubectl, name, kind):
    conditions = kubectl.get("hpa", name)["status"].get("conditions", ())
    return next((c["status"] for c in conditions if c["type"] == kind), None)


def scale_to(service, replicas):
    """By the /scale of the MoEService; it follows, and says so."""
    service.kubectl.scale("moeservice", service.name, replicas)
    resource = service.kubectl.get("moeservice", service.name)
    assert resource["spec"]["main"]["minReplicas"] == replicas
    so = lambda: service.main_replicas == service.status["replicas"] == replicas  # noqa: E731
    until(so, 90, f"the main model has {replicas} replicas", state=service.kubectl.describe)


@pytest.mark.slow
def test_weights_on_a_claim_of_ones_own_are_served_and_left_alone(use, kubectl, rooms, connect):
    claim = beside("bring-your-own-claim.yaml", "PersistentVolumeClaim")
    name = claim["metadata"]["name"]
    rooms.make(kubectl.namespace, name)
    kubectl.apply(claim)
    try:
        filling(kubectl, name, folder="models", model="mixtral")
        own = use("bring-your-own-claim.yaml")
        own.wait_ready()
        assert own.model == "mixtral"
        assert ask(connect(), "mixtral").account["complete"]
        assert only_reads(own, name)
        kubectl.delete("moeservice", own.name)
        assert kubectl.get("persistentvolumeclaim", name)["status"]["phase"] == "Bound"
    finally:
        kubectl("delete", "persistentvolumeclaim", name, "--wait=false")


def only_reads(service, claim):
    """Whether some pods of it mount the claim, and all of those to read it alone."""
    volumes = [volume for pod in service.pods for volume in pod["spec"]["volumes"]]
    claims = [volume.get("persistentVolumeClaim", {}) for volume in volumes]
    ways = [each.get("readOnly", False) for each in claims if each.get("claimName") == claim]
    return bool(ways) and all(ways)


@pytest.mark.slow
def test_a_model_is_fetched_from_a_hub_and_answers(use, kubectl, connect, tmp_path):
    """As in gpu.yaml, but small, on a CPU, and from a hub of ours."""
    model = with_words(tiny_checkpoints.build("mixtral", tmp_path / "tiny"), 128)
    with published(model, kubectl) as hub:
        uri = {"uri": "hf://org/tiny", "endpoint": hub.url, "storage": {"size": "1Gi"}}
        fetched = use("demo.yaml", name="from-hub", model=uri)
        fetched.wait_ready()
        answer = ask(connect(), fetched.model, "w7 w8 w9", max_tokens=8)
    assert answer.account["complete"]
    assert answer.completion_tokens
    assert set(hub.downloads()) >= {"config.json", "tokenizer.json", "model.safetensors"}
    assert COMMIT in fetched.condition("ModelFetched")["message"]
