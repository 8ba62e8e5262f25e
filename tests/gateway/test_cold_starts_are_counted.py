"""A start is counted once, with the phases that the replica tells a moment after it is ready."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from prometheus_client import CollectorRegistry, Histogram

from remoe_functions.gateway.cold_starts import _Starts
from remoe_functions.runtime.state import PartKind, PartStatus, Replica, ReplicaState, Snapshot

CLUSTERS = {"schedule": 0.1, "sandbox": 0.4, "image": 0.0, "process": 3.0}
WHOLE = {"schedule": 0.1, "sandbox": 0.4, "process": 0.2, "imports": 2.5, "probe": 0.3}


class World:
    """Snapshots of one part, and what was counted of them."""

    def __init__(self):
        self.registry, self.now = CollectorRegistry(), 0.0
        labels = ("model_name", "component", "phase")
        seconds = Histogram("cold_start_seconds", "of starts", labels, registry=self.registry)
        entry = SimpleNamespace(name="m", own_of=lambda snapshot: snapshot.parts)
        self._starts = _Starts(entry, seconds, lambda: self.now)

    def see(self, *phases):
        replicas = tuple(
            Replica(id=f"r{number}", state=ReplicaState.READY, phases=told)
            for number, told in enumerate(phases)
        )
        part = PartStatus(name="f", kind=PartKind.FUNCTION, desired=1, replicas=replicas)
        self._starts.take(Snapshot(version=1, parts={"f": part}))

    def count(self, phase):
        labels = {"model_name": "m", "component": "functions", "phase": phase}
        return self.registry.get_sample_value("cold_start_seconds_count", labels)


@pytest.fixture
def world():
    made = World()
    made.see()
    return made


def test_a_replica_that_tells_after_it_is_ready_is_counted_with_what_it_told(world):
    world.see(CLUSTERS)
    assert world.count("total") is None
    world.see(WHOLE)
    world.see(WHOLE)
    assert [world.count(phase) for phase in ("imports", "total", "image")] == [1, 1, None]


def test_a_replica_that_never_tells_is_counted_after_a_while(world):
    world.see(CLUSTERS)
    world.now = 60.0
    world.see(CLUSTERS)
    world.see(CLUSTERS)
    assert world.count("process") == world.count("total") == 1


def test_phases_that_were_told_with_readiness_are_counted_at_once(world):
    world.see({"process": 0.1, "imports": 0.5})
    assert world.count("total") == 1


def test_a_replica_that_is_gone_before_it_told_is_forgotten(world):
    world.see(CLUSTERS)
    world.see()
    assert world._starts._untold == {}


def test_what_was_ready_before_the_first_look_is_not_counted():
    world = World()
    world.see(WHOLE)
    world.see(WHOLE)
    assert world.count("total") is None
