from __future__ import annotations

import asyncio
import contextlib
from contextlib import aclosing

import pytest
from runtime_kubernetes.fake_cluster import DIGEST, FakeCluster

from remoe_functions.runtime.kubernetes.runtime import KubernetesRuntime


class World:
    """A cluster, and runtimes that look at it."""

    def __init__(self):
        self.cluster = FakeCluster()
        self.runtimes = []

    def runtime(self, **knobs):
        knobs = {"access": self.cluster.access, "refresh_seconds": 0.3} | knobs
        made = KubernetesRuntime("ns", "demo", DIGEST, **knobs)
        self.runtimes.append(made)
        return made

    async def until(self, runtime, holds, seconds=10):
        """The first snapshot of which `holds` is true."""
        async with asyncio.timeout(seconds), aclosing(runtime.watch()) as snapshots:
            async for snapshot in snapshots:
                with contextlib.suppress(KeyError):
                    if holds(snapshot.parts):
                        return snapshot
        raise AssertionError("the watch ended early")

    async def until_true(self, holds, seconds=10):
        async with asyncio.timeout(seconds):
            while not holds():
                await asyncio.sleep(0.01)


@pytest.fixture
async def world():
    """A world whose API server listens; everything is closed at the end."""
    made = World()
    async with made.cluster.serving():
        yield made
        for runtime in made.runtimes:
            await runtime.aclose()
