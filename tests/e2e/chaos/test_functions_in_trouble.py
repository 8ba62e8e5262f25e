"""Functions that cannot start: the main model computes their experts, and the service says so."""

import pytest
from e2e.waiting import until

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.timeout(600)]
SAID_SECONDS = 60
HUGE = {"requests": {"memory": "10Ti"}, "limits": {"memory": "10Ti"}}
CHANGES = {
    "image": ("function: its image cannot be pulled", {"image": "localhost/remoe/none:0"}),
    "room": ("function: no node has room for it", {"resources": HUGE}),
}
REASONS = {"image": ("ErrImagePull", "ImagePullBackOff"), "room": ("Unschedulable",)}


def change(service, container):
    """Of every function's pod; None takes it back."""
    spec = {"containers": [{"name": "function", **container}]} if container else None
    pods = {"spec": spec} if container else None
    service.kubectl.patch("moeservice", service.name, {"spec": {"experts": {"podTemplate": pods}}})
    generation = service.kubectl.get("moeservice", service.name)["metadata"]["generation"]
    until(lambda: service.status["observedGeneration"] == generation, 60, "the change is seen")


@pytest.mark.parametrize("trouble", CHANGES)
def test_function_that_cannot_start(table, parts, load, trouble):
    service, (name, container) = parts.service, CHANGES[trouble]
    with load.paused():
        service.wait_functions_asleep(90)
        change(service, container)
    try:
        with table.fault(name, load) as fault:
            until(
                lambda: service.condition("FunctionsHealthy").get("reason") in REASONS[trouble],
                SAID_SECONDS,
                "the condition says so",
                state=parts.describe,
            )
            said = service.condition("FunctionsHealthy")
            fault.say(f"{said['reason']}: {said['message']}")
            assert service.is_ready
            load.wait_answered(120)
            fault.over()
            change(service, None)
            computed = lambda: load.last_account().get("functions")  # noqa: E731
            fault.heals(lambda: computed() and parts.well(), "functions help again",
                        state=parts.describe)  # fmt: skip
    finally:
        change(service, None)
    fault.nothing_lost()
    assert "main model computes" in said["message"]
