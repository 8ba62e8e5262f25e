import asyncio
import json
import os
import sys
from contextlib import aclosing
from pathlib import Path

import pytest

from remoe_functions.runtime.backoff import Backoff
from remoe_functions.runtime.part import PartSpec
from remoe_functions.runtime.process import ProcessRuntime
from remoe_functions.runtime.state import PartKind

SCRIPT = Path(__file__).with_name("tiny_part.py")


class World:
    """Makes parts that are real processes, and waits for what becomes of them."""

    def __init__(self, folder):
        self.folder = folder
        self.run_dir = folder / "run"

    def levers(self, name):
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        return folder

    def starts(self, name):
        file = self.levers(name) / "starts"
        return len(file.read_text()) if file.exists() else 0

    def part(self, name="echo", *, behavior=None, **knobs):
        body = json.dumps({"name": name, **(behavior or {})})
        defaults = {
            "kind": PartKind.FUNCTION,
            "argv": (sys.executable, str(SCRIPT), body, str(self.levers(name))),
            "env": {"PATH": os.environ["PATH"], "OMP_NUM_THREADS": "1"},
            "backoff": Backoff(first_seconds=0.05, factor=2, max_seconds=0.4),
            "drain_seconds": 5,
            "startup_seconds": 20,
        }
        return PartSpec(name=name, **{**defaults, **knobs})

    def runtime(self, *parts, **knobs):
        return ProcessRuntime(parts, run_dir=self.run_dir, tick_seconds=0.02, **knobs)

    def pids(self, runtime, name):
        return [replica.pid for replica in runtime._pools[name]._live.values()]

    async def until(self, runtime, holds, seconds=15):
        """The first snapshot of which `holds` is true."""
        async with asyncio.timeout(seconds), aclosing(runtime.watch()) as snapshots:
            async for snapshot in snapshots:
                if holds(snapshot.parts):
                    return snapshot
        raise AssertionError("the watch ended early")

    async def until_true(self, holds, seconds=15):
        async with asyncio.timeout(seconds):
            while not holds():
                await asyncio.sleep(0.02)


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)
