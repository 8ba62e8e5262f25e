"""The few calls to the API server that a runtime needs; errors of the transport end here.

Written on httpx, which gateway and main have loaded anyway, rather than on the official client:
`import kubernetes.aio` takes 0.8 s and 32 MiB here (its package loads every type of every API
group, whichever part is asked for), `aiohttp` below it 0.3 s, httpx nothing more; and main's start
is somebody's waiting time. What is needed is a list, a watch and a patch.
"""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx

from remoe_functions.runtime.errors import RuntimeUnavailable
from remoe_functions.runtime.kubernetes.access import Access
from remoe_functions.runtime.kubernetes.errors import error_of

CALL_TIMEOUT_SECONDS = 5.0
CONNECT_TIMEOUT_SECONDS = 3.0
# The server ends a watch after this, so that none lives for ever with a server that forgot it.
WATCH_SECONDS = 240
_WATCH_SLACK_SECONDS = 15.0
_MERGE_PATCH = "application/merge-patch+json"
_MESSAGE_CHARACTERS = 500

Object = Mapping[str, Any]


def _keep_alive() -> list[tuple[int, int, int]]:
    """Notice within about 20 s that the other end is gone, where it could not say so."""
    wanted = {"TCP_KEEPIDLE": 8, "TCP_KEEPINTVL": 4, "TCP_KEEPCNT": 3, "TCP_USER_TIMEOUT": 20_000}
    options = [(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)]
    for name, value in wanted.items():
        if (option := getattr(socket, name, None)) is not None:
            options.append((socket.IPPROTO_TCP, option, value))
    return options


class ApiServer:
    """One API server. Belongs to one event loop; close it when done."""

    def __init__(self, access: Access, *, timeout_seconds: float = CALL_TIMEOUT_SECONDS) -> None:
        """Nothing is opened before the first call.

        Args:
            access: where it is.
            timeout_seconds: bound of every wait for it, > 0.
        """
        if timeout_seconds <= 0:
            raise ValueError(f"timeout_seconds must be > 0, got {timeout_seconds}")
        self._url = access.url
        self._timeout_seconds = timeout_seconds
        timeout = httpx.Timeout(
            timeout_seconds, connect=min(timeout_seconds, CONNECT_TIMEOUT_SECONDS)
        )
        transport = httpx.AsyncHTTPTransport(
            # Over plain HTTP (`kubectl proxy`) there is nobody to trust.
            verify=access.tls or ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
            trust_env=False,
            socket_options=_keep_alive(),
        )
        self._http = httpx.AsyncClient(
            base_url=access.url,
            transport=transport,
            auth=access.auth,
            timeout=timeout,
            trust_env=False,
            headers={"Accept": "application/json", "User-Agent": "remoe"},
        )

    async def aclose(self) -> None:
        """Close connections; watches end."""
        await self._http.aclose()

    async def get(self, path: str, params: Mapping[str, str] | None = None) -> Object:
        """Read an object or a list.

        Raises:
            RuntimeUnavailable: or one of its kinds in `errors`.
        """
        return await self._call(self._http.build_request("GET", path, params=params))

    async def patch(self, path: str, change: Object) -> Object:
        """Merge a change into an object; one that names a resourceVersion holds for that alone.

        Raises:
            RuntimeUnavailable: or one of its kinds in `errors`.
        """
        headers, content = {"Content-Type": _MERGE_PATCH}, json.dumps(change)
        return await self._call(
            self._http.build_request("PATCH", path, content=content, headers=headers)
        )

    @asynccontextmanager
    async def watch(
        self, path: str, params: Mapping[str, str], *, since: str
    ) -> AsyncGenerator[AsyncIterator[Object]]:
        """Every change of a list since that resourceVersion, as the server's events.

        They end when the server ends them, which is ordinary.

        Raises:
            RuntimeUnavailable: or one of its kinds in `errors`; from the events, too.
        """
        query = {
            **params,
            "watch": "1",
            "allowWatchBookmarks": "true",
            "resourceVersion": since,
            "timeoutSeconds": str(WATCH_SECONDS),
        }
        timeout = httpx.Timeout(CALL_TIMEOUT_SECONDS, read=WATCH_SECONDS + _WATCH_SLACK_SECONDS)
        request = self._http.build_request("GET", path, params=query, timeout=timeout)
        self._refuse_if_closed()
        try:
            # The head of the answer is waited for no longer than that of any other.
            async with asyncio.timeout(self._timeout_seconds):
                response = await self._http.send(request, stream=True)
        except (httpx.HTTPError, TimeoutError) as error:
            raise self._unavailable(error) from error
        try:
            if response.is_error:
                raise await self._refusal_read(response)
            yield self._events(response)
        finally:
            await response.aclose()

    async def _events(self, response: httpx.Response) -> AsyncIterator[Object]:
        try:
            async for line in response.aiter_lines():
                if line:
                    yield _event(line)
        except (httpx.HTTPError, ValueError) as error:
            raise self._unavailable(error) from error

    async def _refusal_read(self, response: httpx.Response) -> RuntimeUnavailable:
        try:
            async with asyncio.timeout(self._timeout_seconds):
                await response.aread()
        except (httpx.HTTPError, TimeoutError) as error:
            return self._unavailable(error)
        return _refusal(response)

    async def _call(self, request: httpx.Request) -> Object:
        self._refuse_if_closed()
        try:
            response = await self._http.send(request)
            if response.is_error:
                raise _refusal(response)
            body = response.json()
        except (httpx.HTTPError, ValueError) as error:
            raise self._unavailable(error) from error
        if not isinstance(body, dict):
            raise RuntimeUnavailable(f"the API server at {self._url} answered nonsense")
        return body

    def _refuse_if_closed(self) -> None:
        if self._http.is_closed:
            raise RuntimeUnavailable("the connection to the API server is closed")

    def _unavailable(self, error: Exception) -> RuntimeUnavailable:
        detail = str(error) or type(error).__name__
        return RuntimeUnavailable(f"no answer from the API server at {self._url}: {detail}")


def _event(line: str) -> Object:
    """One event of a watch; errors come as events, too."""
    event = json.loads(line)
    if not isinstance(event, dict) or not isinstance(event.get("object"), dict):
        raise ValueError(f"not an event: {line[:100]!r}")
    if event.get("type") == "ERROR":
        status = event["object"]
        raise error_of(int(status.get("code", 500)), str(status.get("message", "no reason given")))
    return event


def _refusal(response: httpx.Response) -> RuntimeUnavailable:
    try:
        message = str(response.json()["message"])
    except (ValueError, KeyError, TypeError):
        message = response.text or response.reason_phrase
    return error_of(response.status_code, message[:_MESSAGE_CHARACTERS])
