"""A cluster with the chart on it, once for all tests; run them by `make e2e`."""

from __future__ import annotations

import contextlib
import os

import pytest
from e2e.deployed import Deployed, example
from e2e.endpoint import reached
from e2e.kubectl import Kubectl
from e2e.release import ROOT, Release, image, namespace
from e2e.rooms import Rooms

NAMESPACE = os.environ.get("E2E_NAMESPACE", "remoe-e2e")
GATEWAY = "remoe-gateway"
REQUEST_SECONDS = 180.0


def pytest_collection_modifyitems(config, items):
    """Whoever does not ask for `cluster` does not get it, whatever else was asked for."""
    if "cluster" in config.option.markexpr:
        return
    left_out = [item for item in items if item.get_closest_marker("cluster")]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]


@pytest.fixture(scope="session")
def rooms():
    """Disk for claims; taken away last, as no volume goes while a claim is bound to it."""
    if not os.environ.get("KUBECONFIG"):
        pytest.exit("the tests on a cluster need KUBECONFIG; `make e2e` says more", returncode=2)
    with contextlib.closing(Rooms(image("fetch"), namespace=f"{NAMESPACE}-rooms")) as rooms:
        yield rooms


@pytest.fixture(scope="session")
def kubectl(rooms):
    """kubectl in the namespace of the tests' services, which is made, and removed in the end."""
    kubectl = Kubectl(namespace=NAMESPACE)
    kubectl.apply(namespace(NAMESPACE))
    yield kubectl
    kubectl("delete", "namespace", NAMESPACE, "--timeout=300s", seconds=310)


@pytest.fixture(scope="session")
def release(kubectl):
    """The chart, installed, its operator ready."""
    release = Release(namespace=f"{NAMESPACE}-system")
    kubectl.apply(namespace(release.namespace))
    try:
        release.install(test__namespace=NAMESPACE)
        yield release
    finally:
        release.uninstall()
        kubectl("delete", "namespace", release.namespace, "--timeout=60s", seconds=70)


@pytest.fixture(scope="session")
def deploy(release, kubectl, rooms):
    """Applies an example, changed so that it sleeps soon; returns what was made of it."""

    def applied(file, **changes):
        manifest = example(ROOT / "examples" / file, **changes)
        name = manifest["metadata"]["name"]
        rooms.make(NAMESPACE, f"{name}-data")
        kubectl.apply(manifest)
        return Deployed(kubectl=kubectl, name=name)

    return applied


@pytest.fixture
def connect(kubectl):
    """Connects the official client library with the namespace's gateway, once there is one."""
    from openai import OpenAI

    with contextlib.ExitStack() as opened:

        def connected(api_key="none"):
            url = f"http://{opened.enter_context(reached(kubectl, GATEWAY))}/v1"
            client = OpenAI(base_url=url, api_key=api_key, timeout=REQUEST_SECONDS, max_retries=0)
            return opened.enter_context(client)

        yield connected


@pytest.fixture
def client(connect):
    """The official client library, connected with the namespace's gateway."""
    return connect()
