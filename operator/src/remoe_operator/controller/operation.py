"""The operator put together: everything that moves is made here, and ends here."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any

import aiohttp

from remoe_operator.cluster.connection import Connection, connected
from remoe_operator.cluster.errors import ClusterError
from remoe_operator.cluster.events import EventRecorder
from remoe_operator.cluster.objects import Objects
from remoe_operator.controller.keys import Key
from remoe_operator.controller.metrics import Metrics
from remoe_operator.controller.pulse import Pulse
from remoe_operator.controller.queue import WorkQueue
from remoe_operator.controller.telling import telling
from remoe_operator.controller.watching import watch
from remoe_operator.controller.working import Work
from remoe_operator.reconcile.asking import Pods
from remoe_operator.reconcile.gateways import Gateways
from remoe_operator.reconcile.planning import Planning
from remoe_operator.reconcile.reconciler import Reconciler
from remoe_operator.scaling.scaler import Scaler
from remoe_operator.settings import Settings

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How the process runs.

    Attributes:
        host: address that health and metrics are served on.
        port: likewise; 0 for any.
        workers: services that are dealt with at once.
        resync_seconds: between full looks at all services.
        scaling_seconds: between looks at what pods do.
    """

    host: str = "0.0.0.0"  # noqa: S104 - in a pod
    port: int = 8080
    workers: int = 4
    resync_seconds: float = 60.0
    scaling_seconds: float = 2.0

    def __post_init__(self) -> None:
        if self.workers < 1 or not 0 <= self.port <= 65535:
            raise ValueError(f"workers must be >= 1 and port within 0..65535, got {self}")
        if not (self.resync_seconds > 0 and self.scaling_seconds > 0):
            raise ValueError(f"resync_seconds and scaling_seconds must be > 0, got {self}")


async def operate(
    settings: Settings, options: Options, *, login: Callable[..., Any] | None = None
) -> None:
    """Look after services until the process is told to end.

    Raises:
        ClusterError: there is no way to an API server.
        OSError: the address for health and metrics is not to be had.
    """
    pulse, metrics = Pulse(), Metrics()
    async with AsyncExitStack() as stack:
        connection = await stack.enter_async_context(connected())
        session = await stack.enter_async_context(aiohttp.ClientSession())
        address = stack.enter_context(
            telling(pulse, metrics.registry, host=options.host, port=options.port)
        )
        _LOG.info("health and metrics are on %s:%d", *address)
        queue: WorkQueue[Key] = WorkQueue()
        scaler = Scaler(Pods(session), Objects(connection), period_seconds=options.scaling_seconds)
        work = put_together(connection, Pods(session), settings, scaler, pulse, metrics, queue)
        tasks = [asyncio.create_task(work.work()) for _ in range(options.workers)]
        tasks += [
            asyncio.create_task(work.resync(settings.watch_namespaces, options.resync_seconds)),
            asyncio.create_task(scaler.run()),
            asyncio.create_task(_beat(pulse, queue)),
        ]
        ending = partial(_cancel, tasks)
        watching = watch(work.knock, settings, ending=ending, login=login)
        await _until_told_to_end(asyncio.create_task(watching), tasks)


def put_together(
    connection: Connection,
    pods: Pods,
    settings: Settings,
    scaler: Scaler,
    pulse: Pulse,
    metrics: Metrics,
    queue: WorkQueue[Key],
) -> Work:
    """Everything between the queue and the cluster."""
    objects, errors = Objects(connection), dict[str, ClusterError]()
    services = Reconciler(
        objects, EventRecorder(connection), pods, Planning(pods), settings, errors
    )
    return Work(
        objects=objects,
        services=services,
        gateways=Gateways(objects, settings, errors),
        scaler=scaler,
        pulse=pulse,
        metrics=metrics,
        queue=queue,
    )


async def _beat(pulse: Pulse, queue: WorkQueue[Key]) -> None:
    while True:
        pulse.beat(queue.overdue_seconds())
        await asyncio.sleep(1.0)


async def _until_told_to_end(watching: asyncio.Task[None], tasks: list[asyncio.Task[None]]) -> None:
    """Run until the watch ends, as it does at a signal; an error in any task ends all."""
    everything = [watching, *tasks]
    try:
        done, _ = await asyncio.wait(everything, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            if not task.cancelled():
                task.result()
        await watching
    finally:
        for task in everything:
            task.cancel()
        await asyncio.gather(*everything, return_exceptions=True)


def _cancel(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
