"""A pod of each part ends under load: by a crash, and by being deleted."""

import pytest
from e2e.chaos.load import PROMPTS
from e2e.chaos.parts import PARTS

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.timeout(600)]
# Until no client is sent to a gateway that is dead, as fast as Kubernetes notices.
NOTICED_SECONDS = 5


def restarts(pods):
    return {
        pod["metadata"]["uid"]: sum(
            c["restartCount"] for c in pod["status"].get("containerStatuses", ())
        )
        for pod in pods
    }


@pytest.mark.parametrize("part", PARTS)
def test_crash(table, node, parts, load, part):
    pod = parts.one(part)
    uid = pod["metadata"]["uid"]
    before = restarts([pod])[uid]
    with table.fault(f"{part}: killed", load) as fault:
        node.kill(pod)
        restarted = lambda: restarts(parts.pods(part)).get(uid, before + 1) > before  # noqa: E731
        fault.heals(lambda: restarted() and parts.well(), "all is well", state=parts.describe)
    if part == "gateway":
        only_what_was_sent_there_broke(fault)
    else:
        fault.nothing_lost()


def only_what_was_sent_there_broke(fault):
    """Nobody else can go on with what a dead gateway was answering, and some knock at its door."""
    in_flight = [a for a in fault.failures if a.begun < fault.begun]
    assert len(in_flight) <= len(PROMPTS)
    late = [a for a in fault.failures if a.begun > fault.begun + NOTICED_SECONDS]
    assert not late, late


@pytest.mark.parametrize("part", PARTS)
def test_deletion(table, parts, load, part):
    pod = parts.one(part)
    with table.fault(f"{part}: deleted", load) as fault:
        parts.delete(pod)
        gone = lambda: pod["metadata"]["uid"] not in restarts(parts.pods(part))  # noqa: E731
        fault.heals(lambda: gone() and parts.well(), "all is well", state=parts.describe)
    fault.nothing_lost()


@pytest.mark.parametrize("part", ["main", "function", "operator"])
def test_deletion_without_a_moment_to_end(table, parts, load, part):
    pod = parts.one(part)
    with table.fault(f"{part}: deleted by force", load) as fault:
        parts.delete(pod, "--force", "--grace-period=0")
        gone = lambda: pod["metadata"]["uid"] not in restarts(parts.pods(part))  # noqa: E731
        fault.heals(lambda: gone() and parts.well(), "all is well", state=parts.describe)
    fault.nothing_lost()
