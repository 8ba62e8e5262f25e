"""One service under load, ways to harm it, and the table of what that did.

CHAOS_JSON names a file that the table is written to as well.
"""

from __future__ import annotations

import contextlib
import os

import pytest
from e2e.chaos.load import Load
from e2e.chaos.node import Node
from e2e.chaos.parts import IDLE_SECONDS, KEEP_ALIVE_SECONDS, Parts
from e2e.chaos.table import Table
from e2e.endpoint import reached
from e2e.kubectl import Kubectl
from e2e.release import image

TABLE = Table(os.environ.get("CHAOS_JSON"))
GATEWAY = "remoe-gateway"
WELL_SECONDS = 240.0


def pytest_terminal_summary(terminalreporter):
    if TABLE.rows:
        terminalreporter.section("faults")
        terminalreporter.write_line(TABLE.markdown())


@pytest.fixture(scope="session")
def table():
    return TABLE


@pytest.fixture(scope="session")
def node(kubectl):
    with contextlib.closing(Node(f"{kubectl.namespace}-node", image("fetch"))) as node:
        yield node


@pytest.fixture(scope="session")
def operator_kubectl(release):
    """kubectl where the operator lives."""
    return Kubectl(namespace=release.namespace)


@pytest.fixture(scope="session")
def served(deploy):
    """The service that is harmed; it sleeps soon, wholly so."""
    served = deploy(
        "demo.yaml",
        name="harmed",
        # A small node has room for two such services.
        experts={"keepAlive": f"{KEEP_ALIVE_SECONDS}s", "cpu": "20m"},
        main={"idleTimeout": f"{IDLE_SECONDS}s", "cpu": "250m"},
    )
    served.wait_ready()
    yield served
    served.kubectl.delete("moeservice", served.name)


@pytest.fixture
def parts(served, operator_kubectl):
    """The service's parts, all well again whatever the test before did."""
    parts = Parts(served, operator_kubectl)
    parts.wait_well(WELL_SECONDS)
    return parts


@pytest.fixture(scope="session")
def address(served, kubectl):
    with reached(kubectl, GATEWAY) as address:
        yield address


@pytest.fixture
def load(parts, address):
    """Clients that ask, and have had an answer each."""
    with Load(address, parts.service.model) as load:
        load.wait_answered(WELL_SECONDS)
        yield load
