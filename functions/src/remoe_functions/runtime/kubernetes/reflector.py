"""One list of the cluster's objects, kept as fresh as the API server tells it.

List, then watch from there; when the changes since then are no longer known, list again. While
the server is away the last word stands.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Mapping
from typing import Generic, TypeVar

from remoe_functions.runtime.backoff import Backoff
from remoe_functions.runtime.errors import RuntimeUnavailable
from remoe_functions.runtime.kubernetes.api import ApiServer, Object
from remoe_functions.runtime.kubernetes.errors import Expired

BACKOFF = Backoff(first_seconds=0.1, factor=2.0, max_seconds=5.0)
# A server that ends every watch at once must not be asked without pause.
_PAUSE_SECONDS = 0.05
_log = logging.getLogger(__name__)

T = TypeVar("T")


class Reflector(Generic[T]):
    """Objects of one kind by name, each as a value. Belongs to one event loop.

    Attributes:
        objects: the latest word.
        synced: whether there was a first word.
        live: whether a watch is open, so that the word is at most a moment old.
    """

    def __init__(
        self,
        api: ApiServer,
        path: str,
        selector: str,
        *,
        read: Callable[[Object], T | None],
        changed: Callable[[], None],
        backoff: Backoff = BACKOFF,
    ) -> None:
        """Nothing is asked before `run`.

        Args:
            api: whom to ask.
            path: of the list.
            selector: the label selector.
            read: an object's value; None where it does not concern us.
            changed: called after every change.
            backoff: between attempts while the server is away.
        """
        self.objects: Mapping[str, T] = {}
        self.synced = False
        self.live = False
        self._api = api
        self._path = path
        self._params = {"labelSelector": selector}
        self._read = read
        self._changed = changed
        self._backoff = backoff
        self._since: str | None = None
        self._failures = 0
        self._is_away = False

    async def run(self) -> None:
        """Follow until cancelled."""
        while True:
            try:
                await self._follow()
                self._failures = 0
            except Expired:
                self._failures += 1
                self._since = None
            except RuntimeUnavailable as error:
                self._away(error)
            except Exception as error:  # noqa: BLE001 (a form nobody foresaw must not end the watch)
                _log.exception("what the cluster tells of %s is not understood", self._path)
                self._away(error)
            finally:
                self.live = False
            await asyncio.sleep(self._pause_seconds())

    def _pause_seconds(self) -> float:
        # Spread, so that those who lost the server together do not come back together.
        spread = random.uniform(0.5, 1.0)  # noqa: S311 (no secret)
        return max(_PAUSE_SECONDS, self._backoff.delay_seconds(self._failures) * spread)

    def _away(self, error: Exception) -> None:
        self._failures += 1
        # What was missed may be too old to be told, and listing is one call.
        self._since = None
        if not self._is_away:
            _log.warning("cannot watch %s, its last word stands: %s", self._path, error)
        self._is_away = True

    async def _follow(self) -> None:
        if self._since is None:
            await self._list()
        since = self._since or ""
        async with self._api.watch(self._path, self._params, since=since) as events:
            self.live = True
            if self._is_away:
                _log.info("watching %s again", self._path)
            self._is_away = False
            async for event in events:
                self._take(event)
                self._failures = 0

    async def _list(self) -> None:
        body = await self._api.get(self._path, self._params)
        objects: dict[str, T] = {}
        for item in body.get("items") or ():
            value = self._read(item)
            if value is not None:
                objects[item["metadata"]["name"]] = value
        self.objects, self.synced = objects, True
        self._since = body["metadata"]["resourceVersion"]
        self._changed()

    def _take(self, event: Object) -> None:
        item = event["object"]
        metadata = item["metadata"]
        self._since = metadata["resourceVersion"]
        if event["type"] == "BOOKMARK":
            return
        name = metadata["name"]
        value = None if event["type"] == "DELETED" else self._read(item)
        objects = dict(self.objects)
        if value is None:
            objects.pop(name, None)
        else:
            objects[name] = value
        self.objects = objects
        self._changed()
