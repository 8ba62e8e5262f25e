"""The runtime as seen from the parts: the supervisor's control API over its Unix socket.

Errors of the transport are translated here, once. What the API does is in `control_server`.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path
from types import TracebackType
from urllib.parse import quote

import httpx

from remoe_functions.runtime.backoff import Backoff
from remoe_functions.runtime.errors import (
    PartError,
    RuntimeUnavailable,
    ScaleOutOfBounds,
    UnknownPart,
)
from remoe_functions.runtime.state import Snapshot

CONTROL = "REMOE_CONTROL"
CALL_TIMEOUT_SECONDS = 5.0
# The server repeats a quiet snapshot every few seconds; three times that is a dead line.
WATCH_SILENCE_SECONDS = 20.0
WATCH_BACKOFF = Backoff(first_seconds=0.05, factor=2.0, max_seconds=2.0)


class ControlClient:
    """A `Runtime` over the control socket. Belongs to one event loop; close it when done."""

    def __init__(
        self,
        path: Path | str,
        *,
        timeout_seconds: float = CALL_TIMEOUT_SECONDS,
        backoff: Backoff = WATCH_BACKOFF,
    ) -> None:
        """Talk to the socket at `path`; nothing is opened before the first call.

        Args:
            path: the supervisor's socket.
            timeout_seconds: bound of one call, > 0.
            backoff: between attempts of `watch` to connect again.
        """
        if timeout_seconds <= 0:
            raise ValueError(f"timeout_seconds must be > 0, got {timeout_seconds}")
        self.path = Path(path)
        self._backoff = backoff
        self._http = httpx.AsyncClient(
            transport=httpx.AsyncHTTPTransport(uds=str(path)),
            base_url="http://supervisor",
            timeout=timeout_seconds,
            trust_env=False,
        )

    @classmethod
    def from_environment(cls) -> ControlClient:
        """The client of the socket named by $REMOE_CONTROL.

        Raises:
            RuntimeUnavailable: the variable is not set.
        """
        path = os.environ.get(CONTROL)
        if not path:
            raise RuntimeUnavailable(f"{CONTROL} is not set: there is no runtime to talk to")
        return cls(path)

    async def __aenter__(self) -> ControlClient:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close connections; watches end."""
        await self._http.aclose()

    async def scale(self, name: str, replicas: int) -> None:
        await self._call("PUT", name, "scale", {"replicas": replicas})

    async def wake(self, name: str) -> None:
        await self._call("POST", name, "wake", None)

    async def snapshot(self) -> Snapshot:
        try:
            response = await self._http.get("/parts")
            response.raise_for_status()
            return Snapshot.from_dict(response.json())
        except (httpx.HTTPError, ValueError) as error:
            raise self._unavailable(error) from error

    async def watch(self) -> AsyncGenerator[Snapshot]:
        """The present snapshot first, then one after every change.

        Outlives restarts of the supervisor: while it is away this waits and tries again.
        """
        failures = 0
        while not self._http.is_closed:
            try:
                async with aclosing(self._watch_once()) as snapshots:
                    async for snapshot in snapshots:
                        failures = 0
                        yield snapshot
            except RuntimeUnavailable:
                failures += 1
            await asyncio.sleep(self._backoff.delay_seconds(max(1, failures)))

    async def _watch_once(self) -> AsyncGenerator[Snapshot]:
        timeout = httpx.Timeout(CALL_TIMEOUT_SECONDS, read=WATCH_SILENCE_SECONDS)
        try:
            async with self._http.stream("GET", "/watch", timeout=timeout) as response:
                response.raise_for_status()
                async for line in response.aiter_lines():
                    yield Snapshot.from_dict(json.loads(line))
        except (httpx.HTTPError, ValueError) as error:
            raise self._unavailable(error) from error

    async def _call(self, verb: str, name: str, action: str, body: object) -> None:
        try:
            url = f"/parts/{quote(name, safe='')}/{action}"
            response = await self._http.request(verb, url, json=body)
        except httpx.HTTPError as error:
            raise self._unavailable(error) from error
        if response.is_error:
            raise _refusal(name, response)

    def _unavailable(self, error: Exception) -> RuntimeUnavailable:
        detail = str(error) or type(error).__name__
        return RuntimeUnavailable(f"no answer from the runtime at {self.path}: {detail}")


def _refusal(name: str, response: httpx.Response) -> PartError:
    if response.status_code == httpx.codes.NOT_FOUND:
        return UnknownPart(name)
    if response.status_code == httpx.codes.UNPROCESSABLE_ENTITY:
        return ScaleOutOfBounds(response.text)
    return RuntimeUnavailable(f"the runtime answered {response.status_code}: {response.text}")
