"""Talking to the main model: one POST, then lines of JSON. Its errors are translated here, once.

    MainError
    ├── MainAway     it took nothing on (refused, closed, 503): send the job again elsewhere
    └── MainLost     it stopped in the middle: go on from the tokens so far

Everything that trying again cannot help is a `GatewayError` and goes to the client.
"""

# ruff: noqa: N818  (the names say what happened)

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote

import httpx

from remoe_functions.gateway.errors import (
    ContextTooLong,
    GatewayError,
    GenerationFailed,
    InvalidRequest,
    Overloaded,
)
from remoe_functions.gateway.job import Job
from remoe_functions.gateway.main_token import Token

CONNECT_SECONDS = 5.0
_WRITE_SECONDS = 30.0
_MAX_ERROR_BYTES = 64 * 1024
_PASSING = frozenset({"draining", "shutting_down", "cancelled"})

Line = Mapping[str, Any]


class MainError(Exception):
    """Main failed in a way that another attempt may mend."""


class MainAway(MainError):
    """Main did not take the job on."""


class MainLost(MainError):
    """Main took the job on and stopped before it was done."""


def main_http(silence_seconds: float) -> httpx.AsyncClient:
    """What all clients send with; main is taken for dead after so long without a byte.

    Belongs to one event loop; close it when done.
    """
    return httpx.AsyncClient(
        timeout=httpx.Timeout(CONNECT_SECONDS, read=silence_seconds, write=_WRITE_SECONDS),
        # A connection per job: one kept open to a main that slept meanwhile would fail on
        # its next use, and closing it is how a job is cancelled.
        limits=httpx.Limits(max_connections=None, max_keepalive_connections=0),
        trust_env=False,
    )


class MainClient:
    """The gateway's end of one model's internal HTTP. Belongs to one event loop."""

    def __init__(self, http: httpx.AsyncClient, token: Token) -> None:
        """Send by `http`, with the token as bearer where there is one."""
        self._http = http
        self._token = token

    @asynccontextmanager
    async def generate(
        self, url: str, job: Job, generated: Sequence[int]
    ) -> AsyncIterator[AsyncGenerator[Line]]:
        """Start a job, going on after `generated`; the lines end with one that has `finish`.

        Leaving the context closes the connection, and with it frees main's slot.

        Raises:
            MainAway: main did not take it on.
            MainLost: from the lines; main stopped in the middle.
            GatewayError: main refused it for good, or failed on it.
        """
        try:
            request = self._http.build_request(
                "POST", f"{url}/generate", json=job.body(generated), headers=self._headers
            )
            response = await self._http.send(request, stream=True)
        except httpx.TransportError as error:
            raise MainAway(_describe(error)) from error
        lines = _lines(response)
        try:
            if response.status_code != httpx.codes.OK:
                raise await _refusal(response)
            yield lines
        finally:
            await lines.aclose()
            await response.aclose()

    async def end(self, url: str, job: Job) -> None:
        """Make main end a job now; its lines then come to their end, with the account.

        A job that main does not know has just ended by itself.

        Raises:
            MainAway: main cannot be reached, or does not do it.
        """
        try:
            response = await self._http.delete(
                f"{url}/generate/{quote(job.request_id, safe='')}", headers=self._headers
            )
        except httpx.TransportError as error:
            raise MainAway(_describe(error)) from error
        if response.status_code not in (httpx.codes.NO_CONTENT, httpx.codes.NOT_FOUND):
            raise MainAway(f"main answered {response.status_code}")

    @property
    def _headers(self) -> dict[str, str]:
        token = self._token()
        return {"authorization": f"Bearer {token}"} if token else {}


async def _lines(response: httpx.Response) -> AsyncGenerator[Line]:
    try:
        async for text in response.aiter_lines():
            if not text.strip():
                continue
            line = json.loads(text)
            if "error" in line:
                raise _failure(line["error"])
            yield line
            if "finish" in line:
                return
    except (httpx.HTTPError, ValueError) as error:
        raise MainLost(_describe(error)) from error
    raise MainLost("the stream ended in the middle")


def _failure(error: Mapping[str, Any]) -> Exception:
    """What an error line amid the tokens means."""
    code, message = str(error.get("code")), str(error.get("message"))
    if code in _PASSING:
        return MainLost(message)
    return GenerationFailed(f"the model failed: {message}", code=code)


async def _refusal(response: httpx.Response) -> Exception:
    """What a status other than 200 means."""
    code, message = await _error_of(response)
    status = response.status_code
    if status == httpx.codes.SERVICE_UNAVAILABLE:
        return MainAway(message)
    if status == httpx.codes.TOO_MANY_REQUESTS:
        return Overloaded(f"the model's queue is full: {message}")
    if httpx.codes.is_client_error(status) and status not in (401, 403, 404, 405):
        return _invalid(code, message)
    return GenerationFailed(f"the model answered {status}: {message}")


def _invalid(code: str | None, message: str) -> GatewayError:
    if code == "context_length_exceeded":
        return ContextTooLong(message)
    return InvalidRequest(message, code=code)


async def _error_of(response: httpx.Response) -> tuple[str | None, str]:
    body = bytearray()
    try:
        async for chunk in response.aiter_bytes():
            body += chunk
            if len(body) > _MAX_ERROR_BYTES:
                break
        error = json.loads(bytes(body))["error"]
        return error.get("code"), str(error.get("message"))
    except (httpx.HTTPError, ValueError, KeyError, TypeError, AttributeError):
        return None, body[:200].decode("utf-8", "replace") or "no reason given"


def _describe(error: Exception) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
