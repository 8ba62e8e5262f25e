"""What of a service is there, second by second: parts awake, memory of its processes, starts."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
from evaluation.quiet import Others

from remoe_functions.cli.service import Service
from remoe_functions.runtime.control_client import ControlClient
from remoe_functions.runtime.errors import RuntimeUnavailable
from remoe_functions.runtime.state import PartKind, Snapshot

EVERY_SECONDS = 1.0
MAIN, EXPERT = "remoe_functions.main", "remoe_functions.expert"


class Watch:
    """Samples until it is closed.

    Attributes:
        samples: one dictionary a second; `at` on the monotonic clock.
        starts: phases of every replica that was seen ready, by its id.
    """

    def __init__(self, service: Service) -> None:
        self._service = service
        self._others = Others()
        self.samples: list[dict[str, Any]] = []
        self.starts: dict[str, dict[str, Any]] = {}

    @classmethod
    @asynccontextmanager
    async def over(cls, service: Service) -> AsyncIterator[Watch]:
        """Watch a service for as long as the block lasts."""
        watch = cls(service)
        task = asyncio.create_task(watch._run())
        try:
            yield watch
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _run(self) -> None:
        async with ControlClient(self._service.control) as runtime:
            while True:
                began = time.monotonic()
                with suppress(RuntimeUnavailable):  # it may be busy with its parts for a moment
                    snapshot = await runtime.snapshot()
                    memory = await asyncio.to_thread(memory_by_part, serving())
                    others = await asyncio.to_thread(self._others.share)
                    self._note(began, snapshot, memory, others)
                await asyncio.sleep(max(0.0, began + EVERY_SECONDS - time.monotonic()))

    def _note(self, at: float, snapshot: Snapshot, memory: dict[str, int], others: float) -> None:
        functions = snapshot.of_kind(PartKind.FUNCTION)
        main = snapshot.of_kind(PartKind.MAIN)
        self.samples.append(
            {
                "at": at,
                "memory_bytes": sum(memory.values()),
                "main_memory_bytes": memory.get("main", 0),
                "functions_memory_bytes": memory.get("functions", 0),
                "resident_bytes": sum(part.memory_bytes for part in snapshot.parts.values()),
                "functions_awake": sum(part.awake for part in functions),
                "main_awake": any(part.awake for part in main),
                "others_share": others,
            }
        )
        for part in (*main, *functions):
            for replica in part.ready:
                self.starts[replica.id] = {"kind": str(part.kind), "phases": dict(replica.phases)}


def serving() -> int | None:
    """The process of the service that this one started, if there is one."""
    for child in psutil.Process().children():
        with suppress(psutil.Error):
            if {"remoe_functions.cli", "serve"} <= set(child.cmdline()):
                return child.pid
    return None


def memory_by_part(pid: int | None) -> dict[str, int]:
    """Proportional memory of a service's processes: shared pages are shared out among them."""
    sums = {"main": 0, "functions": 0, "rest": 0}
    if pid is None:
        return sums
    with suppress(psutil.Error):
        root = psutil.Process(pid)
        for process in (root, *root.children(recursive=True)):
            with suppress(psutil.Error):
                sums[_part_of(process.cmdline())] += proportional_bytes(process.pid)
    return sums


def proportional_bytes(pid: int) -> int:
    """PSS of a process; 0 when it is gone."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0
    lines = (line.split() for line in text.splitlines()[1:])
    return next((1024 * int(words[1]) for words in lines if words[0] == "Pss:"), 0)


def _part_of(command: list[str]) -> str:
    if MAIN in command:
        return "main"
    return "functions" if EXPERT in command else "rest"
