"""The process around the service: loading beside HTTP, the runtime's news, a clean end."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import signal
import socket
import threading
from collections.abc import AsyncIterator, Callable
from types import FrameType

import uvicorn
from starlette.applications import Starlette

from remoe_functions.checkpoint.errors import CheckpointError
from remoe_functions.main.directory import Directory, RuntimeDirectory, StaticDirectory
from remoe_functions.main.metrics import MainCollector, registry_of
from remoe_functions.main.probes import Probes
from remoe_functions.main.server import Door, build_app
from remoe_functions.main.service import Service, ServiceOptions
from remoe_functions.main.settings import CallSettings
from remoe_functions.runtime.choice import runtime_of_environment
from remoe_functions.runtime.errors import PartError
from remoe_functions.runtime.last_words import leave_words
from remoe_functions.runtime.tether import Tether
from remoe_planner.plan import Plan

_log = logging.getLogger(__name__)
BAD_START = 2
GRACE_SECONDS = 2


def run(options: argparse.Namespace, listener: socket.socket, tether: Tether, token: str) -> int:
    """Serve on `listener` until a signal; the exit status."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)  # a line per wake tells nobody anything
    try:
        service_options = service_options_of(options, token)
        directory = _directory(options, service_options.calls)
    except (OSError, ValueError, PartError) as error:
        leave_words(str(error))
        return BAD_START
    part = MainPart(service_options, directory, listener, tether, options.drain_seconds)
    return part.run()


def service_options_of(options: argparse.Namespace, token: str) -> ServiceOptions:
    """The service's options from the command line's.

    Raises:
        OSError: the plan cannot be read.
        ValueError: it is not a plan, or a knob is out of bounds.
    """
    given = {} if options.history_bytes is None else {"history_bytes": options.history_bytes}
    return ServiceOptions(
        model=options.model,
        experts=options.experts,
        plan=Plan.from_json(options.plan.read_text()) if options.plan else None,
        dtype=options.dtype,
        device=options.device,
        history=options.history,
        max_context=options.max_context,
        max_batch=options.max_batch,
        max_waiting=options.max_waiting,
        calls=CallSettings(call_seconds=options.call_seconds),
        token=token,
        **given,
    )


def _directory(options: argparse.Namespace, calls: CallSettings) -> Directory:
    runtime = None if options.endpoint else runtime_of_environment()
    if runtime is None:
        return StaticDirectory.parse(options.endpoint)
    return RuntimeDirectory(runtime, wake_interval_seconds=calls.wake_interval_seconds)


class MainPart:
    """One run of the main model process."""

    def __init__(
        self,
        options: ServiceOptions,
        directory: Directory,
        listener: socket.socket,
        tether: Tether,
        drain_seconds: float,
    ) -> None:
        self._options = options
        self._directory = directory
        self._listener = listener
        self._tether = tether
        self._drain_seconds = drain_seconds
        self._service: Service | None = None
        self._door: Door | None = None
        self._status = 0
        self._is_draining = False
        probes = Probes(
            engine=lambda: None if self._door is None else self._door.engine,
            is_draining=lambda: self._is_draining,
            phases=lambda: tether.phases,
        )
        app = build_app(lambda: self._door, probes, self._lifespan)
        config = uvicorn.Config(
            app, log_level="warning", timeout_graceful_shutdown=GRACE_SECONDS, ws="none"
        )
        self._server = DrainingServer(config, self._drain)

    def run(self) -> int:
        threading.Thread(target=self._load, name="load", daemon=True).start()
        self._server.run(sockets=[self._listener])
        if self._service is not None:
            self._service.stop()
        self._tether.close()
        return self._status

    def _load(self) -> None:
        try:
            service = Service(self._options, self._directory, self._tether.phase)
        except (CheckpointError, ValueError, OSError) as error:
            self._give_up(str(error))
            return
        except Exception as error:  # noqa: BLE001 (whatever it was, the process must not wait forever)
            _log.exception("the model could not be loaded")
            self._give_up(f"the model could not be loaded: {type(error).__name__}: {error}")
            return
        service.start()
        self._service = service
        self._open(service)

    def _give_up(self, reason: str) -> None:
        leave_words(reason)
        self._status = BAD_START
        self._server.should_exit = True

    def _open(self, service: Service) -> None:
        self._tether.phase("ready")
        collector = MainCollector(
            service.name,
            service.engine,
            service.caller,
            service.timer,
            service.totals,
            self._tether.phases,
        )
        self._door = Door(
            engine=service.engine,
            token=self._options.token or None,
            info=service.info,
            registry=registry_of(collector),
        )
        host, port = self._listener.getsockname()[:2]
        _log.info("serving %s on %s:%d", service.name, host, port)
        self._tether.ready(host, port)
        self._tether.beat(lambda: (service.engine.in_flight, service.engine.idle_seconds))

    @contextlib.asynccontextmanager
    async def _lifespan(self, _: Starlette) -> AsyncIterator[None]:
        if not isinstance(self._directory, RuntimeDirectory):
            yield
            return
        following = asyncio.create_task(self._directory.follow())
        yield
        following.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await following
        await self._directory.aclose()

    def _drain(self) -> None:
        self._is_draining = True
        if self._service is not None and not self._service.engine.drain(self._drain_seconds):
            _log.warning("requests were still running after %s s", self._drain_seconds)
            self._service.engine.stop()


class DrainingServer(uvicorn.Server):
    """A uvicorn server that, on a first signal, finishes what runs before it closes its door."""

    def __init__(self, config: uvicorn.Config, drain: Callable[[], None]) -> None:
        super().__init__(config)
        self._drain = drain
        self._draining = False

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """SIGTERM: drain, then exit. A second one, or SIGINT: exit now."""
        if self._draining or sig != signal.SIGTERM:
            super().handle_exit(sig, frame)
            return
        self._draining = True
        threading.Thread(target=self._drain_and_exit, name="drain", daemon=True).start()

    def _drain_and_exit(self) -> None:
        self._drain()
        self.should_exit = True
