"""What looks after the parts is away: the operator, the API server."""

import time

import pytest
from e2e.chaos.leftovers import left
from e2e.chaos.load import Load
from e2e.chaos.parts import IDLE_SECONDS, reachable
from e2e.waiting import until

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.timeout(600)]
OPERATOR_AWAY_SECONDS = 120
API_SERVER_AWAY_SECONDS = 30


def asleep(parts):
    parts.service.wait_asleep(IDLE_SECONDS + 90)


def test_operator_is_gone_for_minutes_and_the_model_wakes_without_it(table, parts, address):
    asleep(parts)
    parts.scale_operator(0)
    try:
        with Load(address, parts.service.model) as load:
            name = f"operator: gone for {OPERATOR_AWAY_SECONDS} s, the model asleep"
            with table.fault(name, load) as fault:
                time.sleep(OPERATOR_AWAY_SECONDS)
                assert parts.service.functions_awake
                fault.over()
                parts.scale_operator(1)
                fault.heals(parts.well, "all is well", state=parts.describe)
            fault.nothing_lost()
    finally:
        parts.scale_operator(1)


def test_a_service_is_deleted_while_nobody_looks_after_it(table, parts, load, deploy):
    """All goes but the claim: the gateway mounts it until the operator is back to tell it."""
    orphan = deploy("demo.yaml", name="orphan", main={"cpu": "100m"}, experts={"cpu": "20m"})
    orphan.wait_ready()
    with load.paused():
        parts.wait_well(180)
    parts.scale_operator(0)
    try:
        with table.fault("operator: gone, a service is deleted", load) as fault:
            orphan.kubectl.delete("moeservice", orphan.name)
            kept = {f"PersistentVolumeClaim/{orphan.name}-data"}
            until(lambda: set(left(orphan)) <= kept, 120, "the claim alone is left",
                  state=parts.describe)  # fmt: skip
            fault.over()
            parts.scale_operator(1)
            fault.heals(lambda: not left(orphan) and parts.well(), "nothing is left",
                        state=parts.describe)  # fmt: skip
    finally:
        parts.scale_operator(1)
    fault.nothing_lost()


def test_api_server_stands_still(table, node, parts, load):
    with load.paused():
        parts.service.wait_functions_asleep(90)
    with table.fault(f"API server: frozen for {API_SERVER_AWAY_SECONDS} s", load) as fault:
        node.freeze("kube-apiserver", API_SERVER_AWAY_SECONDS)
        time.sleep(API_SERVER_AWAY_SECONDS + 1)
        fault.over()
        fault.heals(reachable(parts.well), "all is well")
    fault.nothing_lost()


def test_api_server_is_killed_and_started_again(table, node, parts, load):
    with table.fault(f"API server: killed, back in {API_SERVER_AWAY_SECONDS} s", load) as fault:
        node.restart("kube-apiserver", API_SERVER_AWAY_SECONDS)
        time.sleep(API_SERVER_AWAY_SECONDS + 1)
        fault.over()
        fault.heals(reachable(parts.well), "all is well")
    fault.nothing_lost()


def test_model_is_asleep_while_the_api_server_stands_still(table, node, parts, address):
    asleep(parts)
    model = parts.service.model
    name = f"API server: frozen for {API_SERVER_AWAY_SECONDS} s, the model asleep"
    with table.fault(name) as fault:
        node.freeze("kube-apiserver", API_SERVER_AWAY_SECONDS)
        time.sleep(2)
        with Load(address, model) as load:
            load.wait_answered(API_SERVER_AWAY_SECONDS + 120)
            fault.healed_seconds = time.monotonic() - fault.begun
        fault.watch(load)
    fault.nothing_lost()
