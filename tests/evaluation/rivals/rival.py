"""What every rival is: a process of its own that answers on an OpenAI endpoint of this machine.

Questions are put by the very client that puts them to Remoe, so times mean the same. How a rival
is started, and with which settings, is its own file's matter.

    with TransformersAlone() as rival:
        rival.start(model_dir)
        rival.ask("Why is the sky blue?", 200).tpot_seconds

All methods block; from a running event loop call them in a thread (`asyncio.to_thread`).
"""

from __future__ import annotations

import abc
import asyncio
import os
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import httpx
import psutil
from evaluation.rivals.timing import Timing

from remoe_functions.cli.asking import Asking, ask
from remoe_functions.cli.client import connected

START_SECONDS = 300.0
STOP_SECONDS = 20.0
LOG_TAIL_CHARACTERS = 2000
WARM_PROMPT, WARM_TOKENS = "Hello.", 8


class RivalError(RuntimeError):
    """A rival is not here, or did not come up."""


class Rival(abc.ABC):
    """A process, where it listens, and how long it took to come up.

    Attributes:
        name: as tables call it.
        threads: it computes with.
        start_seconds: from spawn until it takes questions; before it is 0.
    """

    name: str

    def __init__(self, *, threads: int = 2) -> None:
        self.threads = threads
        self.start_seconds = 0.0
        self._process: subprocess.Popen[bytes] | None = None
        self._url = ""
        self._folder = tempfile.TemporaryDirectory(prefix="rival-")
        self._log = Path(self._folder.name) / "log.txt"

    @property
    @abc.abstractmethod
    def settings(self) -> str:
        """What it is and how it is set, in words for a table."""

    @abc.abstractmethod
    def prepare(self, model_dir: Path) -> None:
        """Make what it needs of a checkpoint; not part of its start.

        Raises:
            RivalError: it cannot run here.
        """

    @abc.abstractmethod
    def command(self, model_dir: Path, port: int) -> list[str]:
        """How to run it, so that it answers on a port of the loopback interface."""

    def start(self, model_dir: Path) -> None:
        """Bring it up and ask once, so that what follows finds it warm.

        Raises:
            RivalError: it is not here, went away, or took too long.
        """
        self.prepare(model_dir)
        port = free_port()
        self._url = f"http://127.0.0.1:{port}"
        began = time.monotonic()
        self._spawn(self.command(model_dir, port))
        self._wait_until_healthy(began + START_SECONDS)
        self.start_seconds = time.monotonic() - began
        self.ask(WARM_PROMPT, WARM_TOKENS)

    def ask(self, prompt_text: str, tokens: int) -> Timing:
        """Stream the greedy answer to one message of a user, of exactly so many tokens."""
        return asyncio.run(self._asked(prompt_text, tokens))

    def memory_bytes(self) -> int:
        """Resident memory of the process and its children, mapped weights included."""
        if self._process is None:
            return 0
        root = psutil.Process(self._process.pid)
        return sum(each.memory_info().rss for each in (root, *root.children(recursive=True)))

    def close(self) -> None:
        """End the process and forget its files; twice is no harm."""
        process, self._process = self._process, None
        if process is not None:
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._folder.cleanup()

    def __enter__(self) -> Rival:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    async def _asked(self, prompt_text: str, tokens: int) -> Timing:
        asking = Asking(model=self.name, max_tokens=tokens, ignore_eos=True)
        async with connected(f"{self._url}/v1") as client:
            answer = await ask(client, asking, [{"role": "user", "content": prompt_text}])
        return Timing.of(answer)

    def _spawn(self, command: list[str]) -> None:
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=os.environ | {"OMP_NUM_THREADS": str(self.threads)},
            )

    def _wait_until_healthy(self, until: float) -> None:
        while time.monotonic() < until:
            if self._process is None or self._process.poll() is not None:
                raise RivalError(f"{self.name} went away before it answered: {self._log_tail()}")
            if self._healthy():
                return
            time.sleep(0.02)
        raise RivalError(f"{self.name} took over {START_SECONDS:.0f} s: {self._log_tail()}")

    def _healthy(self) -> bool:
        try:
            return httpx.get(f"{self._url}/health", timeout=1.0).is_success
        except httpx.TransportError:
            return False

    def _log_tail(self) -> str:
        return self._log.read_text(errors="replace")[-LOG_TAIL_CHARACTERS:]


def free_port() -> int:
    """A port of the loopback interface that nobody has just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
