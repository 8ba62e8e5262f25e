"""Events on a service, as `kubectl describe` shows them: few, counted rather than repeated."""

from __future__ import annotations

import hashlib
import logging
from collections import OrderedDict, deque
from collections.abc import Callable
from datetime import UTC, datetime
from time import monotonic
from typing import Any

from remoe_operator.cluster.connection import MERGE, Connection
from remoe_operator.cluster.errors import ClusterError, ConflictError
from remoe_operator.cluster.kinds import EVENT, Manifest

_LOG = logging.getLogger(__name__)
_COMPONENT = "remoe-operator"
_LONGEST_MESSAGE = 1024


class EventRecorder:
    """Posts events; a failure to do so is logged and forgotten.

    An event has a name made from what it says, so the same one counts up, over restarts too.

    Args:
        connection: to the API server.
        most: events about one object within the window; what exceeds them is dropped.
        window_seconds: see above.
        clock: seconds that only grow.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        most: int = 25,
        window_seconds: float = 300.0,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._ask = connection.request
        self._most, self._window, self._clock = most, window_seconds, clock
        self._posted: OrderedDict[str, deque[float]] = OrderedDict()

    async def post(self, about: Manifest, reason: str, message: str, *, warning: bool) -> None:
        """Say something about an object."""
        if not self._may_post(about["metadata"]["uid"]):
            _LOG.info("event %s dropped: too many about %s", reason, about["metadata"]["name"])
            return
        event = _event(about, reason, message[:_LONGEST_MESSAGE], warning=warning)
        try:
            await self._post(event)
        except ClusterError as error:
            _LOG.warning("event %s was not posted: %s", reason, error)

    async def _post(self, event: Manifest) -> None:
        meta = event["metadata"]
        try:
            await self._ask("post", EVENT.path(meta["namespace"]), body=event)
        except ConflictError:
            path = EVENT.path(meta["namespace"], meta["name"])
            live = await self._ask("get", path)
            again = {
                "count": int(live.get("count") or 1) + 1,
                "lastTimestamp": event["lastTimestamp"],
            }
            await self._ask("patch", path, body=again, content_type=MERGE)

    def _may_post(self, uid: str) -> bool:
        now = self._clock()
        times = self._posted.setdefault(uid, deque())
        self._posted.move_to_end(uid)
        if len(self._posted) > 1000:
            self._posted.popitem(last=False)
        while times and times[0] <= now - self._window:
            times.popleft()
        if len(times) >= self._most:
            return False
        times.append(now)
        return True


def _event(about: Manifest, reason: str, message: str, *, warning: bool) -> Manifest:
    meta = about["metadata"]
    said = "\0".join((meta["uid"], reason, message))
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    involved: dict[str, Any] = {
        "apiVersion": about["apiVersion"],
        "kind": about["kind"],
        "name": meta["name"],
        "namespace": meta["namespace"],
        "uid": meta["uid"],
    }
    return {
        "apiVersion": EVENT.api_version,
        "kind": EVENT.name,
        "metadata": {
            "name": f"{meta['name']}.{hashlib.sha256(said.encode()).hexdigest()[:16]}",
            "namespace": meta["namespace"],
        },
        "involvedObject": involved,
        "reason": reason,
        "message": message,
        "type": "Warning" if warning else "Normal",
        "source": {"component": _COMPONENT},
        "reportingComponent": _COMPONENT,
        "reportingInstance": _COMPONENT,
        "firstTimestamp": now,
        "lastTimestamp": now,
        "count": 1,
    }
