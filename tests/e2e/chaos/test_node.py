"""The node's kubelet stands still, and the node is drained."""

import time

import pytest
from e2e.waiting import until

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.timeout(600)]
# The node stays Ready for the one, and is taken for lost in the other, with all that is on it.
PAUSE_SECONDS, LONG_PAUSE_SECONDS = 30, 90
CORDONED_SECONDS = 20


def test_kubelet_stands_still(table, node, parts, load):
    with load.paused():
        parts.service.wait_functions_asleep(90)
    with table.fault(f"kubelet: frozen for {PAUSE_SECONDS} s", load) as fault:
        node.freeze("kubelet", PAUSE_SECONDS)
        time.sleep(PAUSE_SECONDS + 1)
        fault.over()
        fault.heals(parts.well, "all is well", state=parts.describe)
    fault.nothing_lost()


def test_kubelet_stands_still_until_the_only_node_is_taken_for_lost(table, node, parts, load):
    with table.fault(f"kubelet: frozen for {LONG_PAUSE_SECONDS} s", load) as fault:
        node.freeze("kubelet", LONG_PAUSE_SECONDS)
        time.sleep(LONG_PAUSE_SECONDS + 1)
        fault.over()
        node.wait_ready(60)
        fault.heals(parts.well, "all is well", state=parts.describe)
        fault.say("no other node has a gateway: Kubernetes itself leads nobody to this one")
    assert not [a for a in fault.failures if a.begun > fault.begun + LONG_PAUSE_SECONDS + 10]


def test_drained_node(table, node, parts, load):
    """All pods are evicted; nothing finds a place until the node takes pods again."""
    evicted = [pod for part in ("main", "function", "gateway") for pod in parts.pods(part)]
    with table.fault(f"node: drained, back after {CORDONED_SECONDS} s", load) as fault:
        node.cordon()
        try:
            left = [pod for pod in evicted if not parts.evict(pod)]
            fault.say(f"budgets kept {len(left)} of {len(evicted)} pods until others were up")
            time.sleep(CORDONED_SECONDS)
        finally:
            node.uncordon()
        fault.over()
        for pod in left:
            until(lambda pod=pod: parts.evict(pod), 120, "the last pods may go, too")
        gone = {pod["metadata"]["uid"] for pod in evicted}

        def replaced():
            now = [pod for part in ("main", "function", "gateway") for pod in parts.pods(part)]
            return parts.well() and not gone & {pod["metadata"]["uid"] for pod in now}

        fault.heals(replaced, "all is well", state=parts.describe)
    fault.nothing_lost()
