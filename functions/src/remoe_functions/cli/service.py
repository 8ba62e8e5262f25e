"""A service of our own, run as a process beside the command; it ends when the command does."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from remoe_functions.cli.failure import CommandError
from remoe_functions.runtime.control_client import ControlClient
from remoe_functions.runtime.state import PartKind, Snapshot
from remoe_functions.runtime.tether import TETHER_FD

START_SECONDS = 300.0
STOP_SECONDS = 60.0
_FUNCTIONS_SECONDS = 60.0
_SERVING = "serving on "


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A service that runs.

    Attributes:
        url: its OpenAI endpoint, `/v1` included.
        model: what its model is called.
        control: the supervisor's socket.
    """

    url: str
    model: str
    control: Path

    async def snapshot(self) -> Snapshot:
        """Every part as it is now."""
        async with ControlClient(self.control) as runtime:
            return await runtime.snapshot()

    async def functions_awake(self) -> None:
        """Wait until every function that was woken takes work, or does not come up in time."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_FUNCTIONS_SECONDS):
                while not _all_awake(await self.snapshot()):  # noqa: ASYNC110 - not our process
                    await asyncio.sleep(0.1)


@asynccontextmanager
async def running(model: Path, name: str, *options: str) -> AsyncIterator[Service]:
    """Serve a model on a free port, wait until it answers, and stop it in the end.

    Args:
        model: the checkpoint folder.
        name: what to call it.
        options: further options of `remoe serve`.

    Raises:
        CommandError: it does not start, or not in time; says what it said last.
    """
    where = ("--name", name, "--port", "0", "--run-dir")
    ours, theirs = socket.socketpair()
    with tempfile.TemporaryDirectory(prefix="remoe-") as folder, ours:
        with theirs:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-m", "remoe_functions.cli", "serve", str(model)),
                *(*where, folder, *options),
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is ours to pass on, once
                pass_fds=(theirs.fileno(),),
                env=os.environ | {TETHER_FD: str(theirs.fileno())},
            )
        said = _Said(process)
        try:
            control = Path(folder) / "control.sock"
            url = await _started(process, said, control)
            yield Service(url=f"{url}/v1", model=name, control=control)
        finally:
            await _stop(process)
            await said.end()


def _all_awake(snapshot: Snapshot) -> bool:
    return all(part.awake for part in snapshot.of_kind(PartKind.FUNCTION) if part.desired)


class _Said:
    """Reads what a process says, so that it never blocks on a full pipe."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.last = ""
        self.address: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._read(process))

    async def end(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        if process.stdout is None:
            return
        async for line in process.stdout:
            self.last = line.decode("utf-8", "replace").strip() or self.last
            if self.last.startswith(_SERVING) and not self.address.done():
                self.address.set_result(self.last.removeprefix(_SERVING))


async def _started(process: asyncio.subprocess.Process, said: _Said, control: Path) -> str:
    """The address, once the model behind it is loaded."""
    ended = asyncio.create_task(process.wait())
    ready = asyncio.create_task(_ready(said.address, control))
    try:
        await asyncio.wait(
            {ended, ready}, timeout=START_SECONDS, return_when=asyncio.FIRST_COMPLETED
        )
        if ready.done():
            return ready.result()
        await asyncio.sleep(0.1)  # its last words may still be in the pipe
        state = "ended" if ended.done() else f"is not ready after {START_SECONDS:.0f} s"
        raise CommandError(f"the service {state}: {said.last or 'it said nothing'}")
    finally:
        for task in (ended, ready):
            task.cancel()
        await asyncio.gather(ended, ready, return_exceptions=True)


async def _ready(address: asyncio.Future[str], control: Path) -> str:
    url = await address
    async with ControlClient(control) as runtime, aclosing(runtime.watch()) as snapshots:
        async for snapshot in snapshots:
            if all(part.awake for part in snapshot.of_kind(PartKind.MAIN)):
                break
    return url


async def _stop(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    process.send_signal(signal.SIGTERM)
    try:
        await asyncio.wait_for(process.wait(), STOP_SECONDS)
    except TimeoutError:
        process.kill()  # its parts follow it by themselves
        await process.wait()
