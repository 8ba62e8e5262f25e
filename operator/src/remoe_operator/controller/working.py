"""Workers: each takes what is due, makes a pass, and says when the next one is."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from time import monotonic

from remoe_operator.cluster.errors import ClusterError, NotFoundError
from remoe_operator.cluster.kinds import MOE_SERVICE, Manifest
from remoe_operator.cluster.objects import Objects
from remoe_operator.controller.keys import Key, key_of
from remoe_operator.controller.metrics import Metrics
from remoe_operator.controller.pulse import Pulse
from remoe_operator.controller.queue import WorkQueue
from remoe_operator.reconcile.gateways import Gateways
from remoe_operator.reconcile.reconciler import Pass, Reconciler
from remoe_operator.scaling.scalable import scalables_of
from remoe_operator.scaling.scaler import Scaler

_LOG = logging.getLogger(__name__)
_PASS_SECONDS = 180.0
_SPREAD_SECONDS = 5.0


class Work:
    """What is due, and how it is done.

    Args:
        objects: the cluster's, for full looks.
        services: passes over services.
        gateways: passes over gateways.
        scaler: told of every pass.
        pulse: marked by every pass.
        metrics: likewise.
        queue: of what is due.
    """

    def __init__(
        self,
        *,
        objects: Objects,
        services: Reconciler,
        gateways: Gateways,
        scaler: Scaler,
        pulse: Pulse,
        metrics: Metrics,
        queue: WorkQueue[Key],
    ) -> None:
        self._objects, self._services, self._gateways = objects, services, gateways
        self._scaler, self._pulse, self._metrics, self._queue = scaler, pulse, metrics, queue
        self._known: dict[str, set[str]] = defaultdict(set)
        self._served: dict[Key, tuple[str, ...]] = {}
        metrics.watch(
            services=lambda: sum(map(len, self._known.values())),
            queue=lambda: len(queue),
            age_seconds=pulse.seconds_since_pass,
        )

    def knock(self, event: str | None, manifest: Manifest) -> None:
        """Something changed on the cluster."""
        key = key_of(manifest)
        if key is None:
            return
        if manifest.get("kind") == MOE_SERVICE.name and key.service is not None:
            self._know(key, gone=event == "DELETED")
            version = None if event == "DELETED" else manifest["metadata"]["resourceVersion"]
            self._pulse.watched(str(key), version)
        if key.service is None:
            self._make_due(key.namespace)
        self._queue.add(key)

    def _know(self, key: Key, *, gone: bool) -> None:
        names = self._known[key.namespace]
        if gone:
            names.discard(key.service or "")
            self._queue.add(Key(key.namespace))
        else:
            names.add(key.service or "")

    def _make_due(self, namespace: str) -> None:
        for name in self._known.get(namespace, ()):
            self._queue.add(Key(namespace, name))

    async def work(self) -> None:
        """Deal with what is due, for ever."""
        while True:
            await self.step()

    async def step(self) -> None:
        """Deal with the next key that is due."""
        key = await self._queue.take()
        started = monotonic()
        try:
            async with asyncio.timeout(_PASS_SECONDS):
                again = await self._deal(key)
        except ClusterError as error:
            self._fail(key, error.reason, str(error))
        except TimeoutError:
            self._fail(key, "Timeout", f"took more than {_PASS_SECONDS:.0f} s")
        except Exception as error:  # noqa: BLE001 - one bad service must not stop the others
            _LOG.exception("the pass over %s failed", key)
            self._fail(key, type(error).__name__, str(error))
        else:
            self._pulse.passed()
            self._queue.done(key)
            if again is not None:
                self._queue.add(key, after_seconds=again)
        finally:
            self._metrics.seconds.labels(key.kind).observe(monotonic() - started)

    def _fail(self, key: Key, reason: str, words: str) -> None:
        self._metrics.errors.labels(key.kind, reason).inc()
        wait = self._queue.failed(key)
        _LOG.warning("the pass over %s is tried again in %.1f s: %s", key, wait, words)

    async def _deal(self, key: Key) -> float | None:
        if key.service is None:
            if await self._gateways.reconcile(key.namespace):
                self._make_due(key.namespace)
            return None
        done = await self._services.reconcile(key.namespace, key.service)
        self._pass_on(key, done)
        if done.failure is not None:
            raise done.failure
        return done.again_after_seconds

    def _pass_on(self, key: Key, done: Pass) -> None:
        """Tell the scaler, and the gateway where what it serves has changed."""
        served = _served(done)
        if self._served.get(key) != served or done.wrote:
            self._queue.add(Key(key.namespace))
        if done.findings is None:
            self._scaler.forget(key)
            self._served.pop(key, None)
            return
        self._served[key] = served
        self._scaler.know(key, scalables_of(done.findings))

    async def resync(self, namespaces: tuple[str, ...], every_seconds: float) -> None:
        """Look at all services, now and every while, in case an event was missed; for ever."""
        while True:
            try:
                await self._resync(namespaces)
            except NotFoundError:
                _LOG.error("the definition of MoEService is not on this cluster")
            except ClusterError as error:
                _LOG.warning("services could not be listed: %s", error)
            await asyncio.sleep(every_seconds)

    async def _resync(self, namespaces: tuple[str, ...]) -> None:
        found: list[Manifest] = []
        for namespace in namespaces or (None,):
            found += await self._objects.list(MOE_SERVICE, namespace)
        keys = [Key(m["metadata"]["namespace"], m["metadata"]["name"]) for m in found]
        self._known.clear()
        for number, key in enumerate(keys):
            self._know(key, gone=False)
            self._queue.add(key, after_seconds=_SPREAD_SECONDS * number / len(keys))
        for namespace in {key.namespace for key in keys}:
            self._queue.add(Key(namespace))
        versions = (str(m["metadata"]["resourceVersion"]) for m in found)
        self._pulse.resynced(dict(zip(map(str, keys), versions, strict=True)))


def _served(done: Pass) -> tuple[str, ...]:
    """What of a service its gateway depends on."""
    findings = done.findings
    if findings is None or findings.stage is None or findings.fetch.facts is None:
        return ()
    service, facts = findings.observed.service, findings.fetch.facts
    plan = findings.stage.main.plan.digest
    missing = findings.observed.missing_references.get("auth.keysSecret", "")
    return (service.uid, str(service.generation), plan, facts.revision, missing)
