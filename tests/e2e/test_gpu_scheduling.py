"""A main model on a GPU where no node has one: the scheduler is told of one that is not there."""

import contextlib
import json

import pytest
from e2e.waiting import until

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(420)]
GPU = "nvidia.com/gpu"
SAID_SECONDS, CRASHED_SECONDS = 45, 150


@pytest.fixture(scope="module")
def node(kubectl):
    """The name of the first node; without a real GPU in the cluster."""
    nodes = kubectl.list("nodes")
    if any(GPU in node["status"]["capacity"] for node in nodes):
        pytest.skip("the cluster has GPUs, or what says so")
    return nodes[0]["metadata"]["name"]


@contextlib.contextmanager
def pretended(kubectl, node):
    """The node says that it has a GPU, while the context lasts."""

    def patch(**operation):
        # The kubelet makes the one follow the other, some seconds later.
        paths = [
            f"/status/{where}/{GPU.replace('/', '~1')}" for where in ("capacity", "allocatable")
        ]
        change = json.dumps([operation | {"path": path} for path in paths])
        kubectl("patch", "node", node, "--subresource=status", "--type=json", "--patch", change)

    patch(op="add", value="1")
    try:
        yield
    finally:
        patch(op="remove")


@pytest.fixture(scope="module")
def on_gpu(deploy, kubectl, node):
    """The demo model, wanted on a GPU as the example gpu.yaml wants its own."""
    main = {"device": "gpu", "gpuResource": GPU, "cpu": "100m"}
    on_gpu = deploy("demo.yaml", name="on-gpu", main=main, experts={"cpu": "20m"})
    yield on_gpu
    kubectl.delete("moeservice", on_gpu.name)


def main_pod(service):
    labels = {"app.kubernetes.io/component": "main"}
    return next(iter(service.kubectl.list("pods", service=service.name, labels=labels)), None)


def says(service, reason, *words, seconds=SAID_SECONDS):
    """The main model's condition, once it says so; Ready repeats it."""

    def said():
        main = service.condition("MainAvailable")
        told = main.get("reason") == reason and all(word in main["message"] for word in words)
        return told and service.condition()["message"] == main["message"]

    what = f"MainAvailable says {reason}: {words}"
    until(said, seconds, what, state=service.kubectl.describe)
    print(service.condition("MainAvailable")["message"])


def test_no_node_has_a_gpu_and_the_condition_says_so(on_gpu, kubectl):
    fetched = lambda: on_gpu.condition("ModelFetched").get("status") == "True"  # noqa: E731
    until(fetched, 180, "the model is fetched", state=kubectl.describe)
    says(on_gpu, "Unschedulable", f"Insufficient {GPU}")


def test_a_node_with_one_gets_the_main_model_which_says_that_it_is_none(on_gpu, kubectl, node):
    with pretended(kubectl, node):
        placed = lambda: (main_pod(on_gpu) or {"spec": {}})["spec"].get("nodeName")  # noqa: E731
        assert until(placed, SAID_SECONDS, "the main model is placed",
                     state=kubectl.describe) == node  # fmt: skip
        container = main_pod(on_gpu)["spec"]["containers"][0]
        assert container["resources"]["limits"][GPU] == "1"
        assert container["args"][container["args"].index("--device") + 1] == "cuda"
        says(on_gpu, "CrashLoopBackOff", "NVIDIA", seconds=CRASHED_SECONDS)


def test_the_gpu_is_taken_away_and_a_new_pod_waits_for_it_in_words(on_gpu, kubectl):
    kubectl("delete", "pod", main_pod(on_gpu)["metadata"]["name"], "--timeout=60s", seconds=65)
    says(on_gpu, "Unschedulable", f"Insufficient {GPU}")
