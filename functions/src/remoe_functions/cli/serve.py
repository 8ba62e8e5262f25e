"""The composition root of `remoe serve`: the supervisor of one service, in the order of its life.

1. listen, take a folder, write the plan and the gateway's configuration;
2. start the runtime and its control socket: gateway and main model wake, functions sleep;
3. tell what happens until somebody says stop, or it cannot start;
4. stop in the order of a request: listener, gateway (streams finish), main model, functions.

The socket that clients connect to is this process's: while a killed gateway is replaced, new
connections wait in its backlog.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import aclosing

from remoe_functions.cli.serve_folder import FolderInUse, RunFolder
from remoe_functions.cli.serve_news import News
from remoe_functions.cli.serve_parts import GATEWAY, MAIN, ServeOptions, gateway_config, parts_of
from remoe_functions.gateway.config import ConfigError
from remoe_functions.gateway.listening import listen
from remoe_functions.runtime.control_server import ControlServer
from remoe_functions.runtime.part import PartSpec
from remoe_functions.runtime.process import ProcessRuntime

__all__ = ["ServeOptions", "serve"]

Say = Callable[[str], None]
EXIT_STOPPED, EXIT_CANNOT_START = 0, 1
# SIGHUP: the terminal was closed; the parts deserve an orderly end all the same.
_STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


async def serve(options: ServeOptions, *, say: Say = print) -> int:
    """Run a service until SIGTERM, SIGINT or SIGHUP; a second signal stops it at once.

    Args:
        options: what to serve and how.
        say: told lines for people: the URL, what is ready, what failed.

    Returns:
        The exit code: 0 when it was asked to stop, 1 when it could not start (one line on
        standard error says why).
    """
    try:
        with listen(options.host, options.port) as listener:
            return await _serve_on(listener, options, say)
    except (ConfigError, FolderInUse, OSError, ValueError) as error:
        return _cannot_start(str(error))


async def _serve_on(listener: socket.socket, options: ServeOptions, say: Say) -> int:
    """Serve on a socket that listens already; the exit code.

    Raises:
        FolderInUse, OSError, ValueError: it cannot start; says why.
    """
    folder = RunFolder.open(options.run_dir)
    code = EXIT_CANNOT_START
    try:
        parts = _prepare(folder, options, listener)
        news = News(_url(options.host, listener.getsockname()[1]))
        code = await _serve_in(folder, parts, listener, news, say)
    finally:
        folder.close(keep=code != EXIT_STOPPED)
    return code


def _prepare(
    folder: RunFolder, options: ServeOptions, listener: socket.socket
) -> tuple[PartSpec, ...]:
    """Write what the parts will read; returns the parts.

    Raises:
        OSError: the folder does not take it.
        ValueError: the plan has a function that cannot be a part.
    """
    folder.plan.write_text(options.plan.to_json())
    config = gateway_config(options, folder, listener.getsockname()[1])
    folder.gateway_config.write_text(config.model_dump_json(indent=2))
    return parts_of(options, folder, secrets.token_urlsafe(32), listen_fd=listener.fileno())


async def _serve_in(
    folder: RunFolder,
    parts: tuple[PartSpec, ...],
    listener: socket.socket,
    news: News,
    say: Say,
) -> int:
    runtime = ProcessRuntime(parts, run_dir=folder.path)
    signals = StopSignals()
    try:
        async with ControlServer(runtime, folder.control):
            try:
                await runtime.start()
                await runtime.wake(MAIN)
                trouble = await _until_stop(runtime, signals, news, say)
            finally:
                await _shut_down(runtime, parts, listener, signals)
    finally:
        signals.close()
    if trouble is None:
        return EXIT_STOPPED
    return _cannot_start(f"{trouble} (logs in {folder.logs})")


class StopSignals:
    """Counts the signals that ask this process to stop; on the main thread's event loop."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._events = (asyncio.Event(), asyncio.Event())
        for number in _STOPPING:
            self._loop.add_signal_handler(number, self._count)

    @property
    def first(self) -> asyncio.Event:
        """Set when the service should stop."""
        return self._events[0]

    @property
    def second(self) -> asyncio.Event:
        """Set when it should stop at once."""
        return self._events[1]

    def close(self) -> None:
        """Give the signals back."""
        for number in _STOPPING:
            self._loop.remove_signal_handler(number)

    def _count(self) -> None:
        (self.second if self.first.is_set() else self.first).set()


async def _until_stop(
    runtime: ProcessRuntime, signals: StopSignals, news: News, say: Say
) -> str | None:
    """Tell the news until a signal; returns why the service cannot start, where it cannot."""
    stop = asyncio.create_task(signals.first.wait())
    telling = asyncio.create_task(_tell(runtime, news, say))
    done, pending = await asyncio.wait({stop, telling}, return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    await asyncio.gather(*pending, return_exceptions=True)
    return None if stop in done else telling.result()


async def _tell(runtime: ProcessRuntime, news: News, say: Say) -> str | None:
    async with aclosing(runtime.watch()) as snapshots:
        async for snapshot in snapshots:
            # Nobody may be listening any more; the service goes on.
            with contextlib.suppress(OSError):
                for line in news.lines(snapshot):
                    say(line)
            if (trouble := news.hopeless(snapshot)) is not None:
                return trouble
    return None


async def _shut_down(
    runtime: ProcessRuntime,
    parts: tuple[PartSpec, ...],
    listener: socket.socket,
    signals: StopSignals,
) -> None:
    """Stop every part in order, or all at once on a second signal; bounded either way."""
    orderly = asyncio.create_task(_stop_in_order(runtime, parts, listener))
    hurry = asyncio.create_task(signals.second.wait())
    await asyncio.wait({orderly, hurry}, return_when=asyncio.FIRST_COMPLETED)
    if not orderly.done():
        await runtime.kill()
    hurry.cancel()
    await asyncio.gather(orderly, hurry, return_exceptions=True)
    await runtime.close()


async def _stop_in_order(
    runtime: ProcessRuntime, parts: tuple[PartSpec, ...], listener: socket.socket
) -> None:
    # No gateway is started from here on, so nothing inherits what the number may mean next.
    listener.close()
    await runtime.stop_part(GATEWAY)
    await runtime.stop_part(MAIN)
    rest = [part.name for part in parts if part.name not in (GATEWAY, MAIN)]
    await asyncio.gather(*map(runtime.stop_part, rest))


def _url(host: str, port: int) -> str:
    shown = "127.0.0.1" if host in ("0.0.0.0", "") else host  # noqa: S104 (only shown)
    return f"http://[{shown}]:{port}" if ":" in shown else f"http://{shown}:{port}"


def _cannot_start(reason: str) -> int:
    print(f"remoe serve: {reason}", file=sys.stderr)
    return EXIT_CANNOT_START
