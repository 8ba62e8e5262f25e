"""Pods are asked, and Deployments scaled, over HTTP and on an API server."""

from __future__ import annotations

import pytest
from builders.api_server import ApiServer

from remoe_operator.cluster.objects import Objects
from remoe_operator.scaling.activity import Activity
from remoe_operator.scaling.deciding import Limits
from remoe_operator.scaling.scalable import Scalable
from remoe_operator.scaling.scaler import Scaler

IDLE = {"ready": True, "in_flight": 0, "waiting": 0, "idle_seconds": 99.0, "phases": {}}
BUSY = IDLE | {"in_flight": 3, "idle_seconds": 0.0}


class World:
    """One Deployment, its pods' answers, and a clock."""

    def __init__(self, replicas, *answers, most=4, least=0):
        self.api, self.answers, self.now = ApiServer(), answers, 0.0
        self.limits = Limits(least=least, most=most, per_replica=2, idle_seconds=60.0)
        self.deployment = self.api.put(
            {
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "metadata": {"name": "d", "namespace": "n"},
                "spec": {"replicas": replicas},
            }
        )
        self.pods = tuple(self.pod(number) for number in range(len(answers)))
        self.scaler = Scaler(self, Objects(self.api), clock=lambda: self.now)
        self.know()

    def pod(self, number):
        return self.api.put(
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"name": f"p{number}", "namespace": "n"},
                "status": {},
            }
        )

    def know(self):
        part = Scalable(deployment=self.deployment, pods=self.pods, port=8000, limits=self.limits)
        self.scaler.know("service", [part])

    async def ask(self, pod, port, path, query=None):
        assert (port, path) == (8000, "/activity")
        return self.answers[int(pod["metadata"]["name"][1:])]

    @property
    def replicas(self):
        return self.api.objects["deployments", "n", "d"]["spec"]["replicas"]


async def test_idle_part_is_put_to_sleep():
    world = World(1, IDLE)
    await world.scaler.look()
    assert world.replicas == 0


async def test_busy_part_grows():
    world = World(1, BUSY)
    await world.scaler.look()
    assert world.replicas == 2


@pytest.mark.parametrize("answer", [None, {}, {"ready": True}, IDLE | {"in_flight": "x"}])
async def test_answer_that_is_missing_or_broken_changes_nothing(answer):
    world = World(1, answer)
    await world.scaler.look()
    assert world.replicas == 1


async def test_wake_that_came_meanwhile_wins():
    world = World(1, IDLE)
    await Objects(world.api).scale(world.deployment, 2)
    await world.scaler.look()
    assert world.replicas == 2


async def test_service_that_is_gone_is_left_alone():
    world = World(1, IDLE)
    world.scaler.forget("service")
    await world.scaler.look()
    assert world.replicas == 1


async def test_replica_with_the_least_to_do_is_the_first_to_go():
    world = World(2, BUSY | {"in_flight": 2}, IDLE | {"idle_seconds": 1.0})
    for moment in (0.0, 30.0, 61.0):
        world.now = moment
        await world.scaler.look()
    assert world.replicas == 1
    costs = {
        name: (pod["metadata"].get("annotations") or {}).get(
            "controller.kubernetes.io/pod-deletion-cost"
        )
        for name, pod in world.api.all("pods").items()
    }
    assert costs == {"p0": "2", "p1": None}


async def test_least_replicas_are_made_without_asking():
    world = World(0, least=1)
    await world.scaler.look()
    assert world.replicas == 1


@pytest.mark.parametrize(
    "bad",
    [
        {},
        IDLE | {"in_flight": -1},
        IDLE | {"idle_seconds": "nan"},
        IDLE | {"waiting": None},
    ],
)
def test_activity_that_makes_no_sense_is_refused(bad):
    with pytest.raises(ValueError, match="activity"):
        Activity.from_mapping(bad)
