"""Events are few, and the same one counts up."""

from __future__ import annotations

import pytest
from builders.api_server import ApiServer

from remoe_operator.cluster.events import EventRecorder

ABOUT = {
    "apiVersion": "remoe.dev/v1alpha1",
    "kind": "MoEService",
    "metadata": {"name": "chat", "namespace": "n", "uid": "u"},
}


@pytest.fixture
def api():
    return ApiServer()


async def test_same_event_is_counted_over_restarts_too(api):
    for _ in range(2):
        await EventRecorder(api).post(ABOUT, "Ready", "it is", warning=False)
    (event,) = api.all("events").values()
    assert (event["count"], event["type"], event["involvedObject"]["uid"]) == (2, "Normal", "u")


async def test_flood_about_one_object_is_cut_and_others_are_not(api):
    recorder = EventRecorder(api, most=3, clock=lambda: 0.0)
    for number in range(10):
        await recorder.post(ABOUT, "Ready", f"turn {number}", warning=True)
    other = ABOUT | {"metadata": ABOUT["metadata"] | {"name": "other", "uid": "v"}}
    await recorder.post(other, "Ready", "it is", warning=False)
    assert len(api.all("events")) == 4


async def test_flood_may_go_on_after_a_while(api):
    now = [0.0]
    recorder = EventRecorder(api, most=1, window_seconds=10, clock=lambda: now[0])
    await recorder.post(ABOUT, "Ready", "a", warning=False)
    now[0] = 11.0
    await recorder.post(ABOUT, "Ready", "b", warning=False)
    assert len(api.all("events")) == 2


async def test_event_that_cannot_be_posted_is_no_error(api):
    api.refuse[("POST", "events")] = (403, "no")
    await EventRecorder(api).post(ABOUT, "Ready", "it is", warning=False)
    assert not api.all("events")
