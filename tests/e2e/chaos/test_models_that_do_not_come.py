"""A model that cannot be fetched: its condition says why, and the service beside it goes on."""

import json
import socket
import time

import pytest
from builders.model_hub import Hub
from builders.small_mixtral import small_mixtral
from e2e.chaos.leftovers import left
from e2e.deployed import Deployed
from e2e.waiting import until
from tokenizers import Tokenizer
from tokenizers.models import WordLevel

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.timeout(600)]
NAME = "fetched"
SAID_SECONDS = 90
MIB = 2**20
# The client writes 10 MiB at once: so much is kept of what came until then.
HELD_BYTES = 10 * MIB + 500_000


@pytest.fixture(scope="session")
def files(tmp_path_factory):
    """A model of 13 MB."""
    folder = small_mixtral(tmp_path_factory.mktemp("published"), vocabulary=200_000)
    words = Tokenizer(WordLevel({"<unk>": 0, "sky": 1}, unk_token="<unk>"))
    (folder / "tokenizer.json").write_text(words.to_str())
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def hub(files, node):
    """On this machine, at the address that looks towards the node."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as towards:
        towards.connect((node.address, 9))
        host = towards.getsockname()[0]
    hub = Hub(files, host=host)
    yield hub
    hub.stop()


@pytest.fixture
def fetched(kubectl, release, rooms, hub):
    """Makes a service whose model is on the hub; it is gone afterwards, with all that was made."""
    made = Deployed(kubectl=kubectl, name=NAME)

    def make(uri="hf://org/tiny", room=True, **model):
        if room:
            rooms.make(kubectl.namespace, f"{NAME}-data")
        kubectl.apply(service(uri=uri, endpoint=hub.url, **model))
        return made

    yield make
    kubectl.delete("moeservice", NAME)
    until(lambda: not left(made), 90, "nothing is left", state=kubectl.describe)


def service(**model):
    return {
        "apiVersion": "remoe.dev/v1alpha1",
        "kind": "MoEService",
        "metadata": {"name": NAME},
        "spec": {"model": {"storage": {"size": "1Gi"}, **model}},
    }


def says(made, *reasons):
    """The condition of its model, once it gives one of these reasons."""

    def found():
        condition = made.condition("ModelFetched")
        return condition if condition.get("reason") in reasons else None

    condition = until(found, SAID_SECONDS, f"ModelFetched says {reasons}",
                      state=made.kubectl.describe)  # fmt: skip
    assert made.condition()["reason"] == condition["reason"], "Ready repeats it"
    return f"{condition['reason']}: {condition['message']}"


def is_fetched(made):
    return made.condition("ModelFetched").get("status") == "True"


def fetch_pods(made):
    labels = {"app.kubernetes.io/component": "fetch"}
    return made.kubectl.list("pods", service=made.name, labels=labels)


def test_model_that_does_not_exist(table, load, fetched):
    with table.fault("model: does not exist", load) as fault:
        made = fetched(uri="hf://org/none")
        fault.say(said := says(made, "ModelNotFound"))
    fault.nothing_lost()
    assert "hf://org/none" in said


def test_wrong_token(table, load, fetched, hub, kubectl):
    hub.token = "right"
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "hub"},
        "stringData": {"token": "hf_wrong"},
    }
    kubectl.apply(secret)
    try:
        with table.fault("model: wrong token, then the right one", load) as fault:
            made = fetched(tokenSecret={"name": "hub"})
            fault.say(said := says(made, "AccessDenied"))
            kubectl.apply(secret | {"stringData": {"token": "right"}})
            fault.over()
            fault.heals(lambda: is_fetched(made), "it is fetched", state=kubectl.describe)
    finally:
        kubectl.delete("secret", "hub")
    fault.nothing_lost()
    assert "hf_wrong" not in said


@pytest.mark.parametrize("how", ["the hub breaks off", "its pod is killed", "its pod is deleted"])
def test_interrupted_download(table, node, load, fetched, hub, how, kubectl):
    hub.hold_after_bytes = HELD_BYTES
    with table.fault(f"download: {how}", load) as fault:
        made = fetched()
        assert hub.held.wait(SAID_SECONDS)
        time.sleep(2)
        fault.over()
        hub.hold_after_bytes = None
        if how == "its pod is killed":
            node.kill(fetch_pods(made)[0])
        elif how == "its pod is deleted":
            kubectl("delete", "pod", fetch_pods(made)[0]["metadata"]["name"], "--wait=false")
        else:
            hub.released.set()
        fault.heals(lambda: is_fetched(made), "it is fetched", state=kubectl.describe)
    fault.nothing_lost()
    assert went_on(hub), "it began from the beginning"


def went_on(hub):
    """Whether weights were asked for from where they were."""
    asked = [
        {name.lower(): value for name, value in headers.items()}.get("range", "bytes=0-")
        for method, path, headers in hub.requests
        if method == "GET" and path.endswith("model.safetensors")
    ]
    return len(asked) > 1 and asked[-1] != "bytes=0-"


def test_full_volume(table, node, load, fetched, rooms, kubectl):
    rooms.make(kubectl.namespace, f"{NAME}-data")
    volume = kubectl.get("persistentvolume", f"remoe-e2e-{kubectl.namespace}-{NAME}-data")
    if volume is None:
        pytest.skip("volumes here are not ours to make small")
    folder = volume["spec"]["hostPath"]["path"]
    node.mount(folder, 8 * MIB)
    try:
        with table.fault("claim: full, then enlarged", load) as fault:
            made = fetched(room=False)
            fault.say(says(made, "DiskFull"))
            node.enlarge(folder, 64 * MIB)
            fault.over()
            # Tried again by itself, too, if not at once.
            kubectl("delete", "jobs", "--selector", f"remoe.dev/service={NAME}")
            fault.heals(lambda: is_fetched(made), "it is fetched", state=kubectl.describe)
        fault.nothing_lost()
    finally:
        kubectl.delete("moeservice", NAME)
        until(lambda: not left(made), 90, "nothing uses the volume", state=kubectl.describe)
        node.unmount(folder)


def test_deletion_while_it_is_fetched(table, load, fetched, hub, kubectl):
    hub.hold_after_bytes = HELD_BYTES
    with table.fault("service: deleted while its model is fetched", load) as fault:
        made = fetched()
        assert hub.held.wait(SAID_SECONDS)
        fault.over()
        kubectl.delete("moeservice", NAME)
        fault.heals(lambda: not left(made), "nothing is left", state=kubectl.describe)
    fault.nothing_lost()


def test_broken_model_beside_a_good_one(table, load, fetched, hub, parts, kubectl):
    """Its tokenizer is none: whatever becomes of it, the other model is answered."""
    hub.files = hub.files | {"tokenizer.json": b"{}"}
    with table.fault("model: its tokenizer is broken", load) as fault:
        made = fetched()
        until(lambda: is_fetched(made), SAID_SECONDS, "it is fetched", state=kubectl.describe)
        time.sleep(30)
        fault.say(json.dumps(made.condition().get("reason")))
        fault.heals(lambda: len(parts.ready_pods("gateway")) >= 2, "gateways are ready")
    fault.nothing_lost()
