"""The official client library, and its errors in words for people."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from openai import (
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    AsyncOpenAI,
    OpenAIError,
)

from remoe_functions.cli.failure import CommandError

TIMEOUT_SECONDS = 600.0


@asynccontextmanager
async def connected(url: str, key: str = "none", *, retries: int = 0) -> AsyncIterator[AsyncOpenAI]:
    """A client of an endpoint, closed in the end.

    Args:
        url: the endpoint, `/v1` included.
        key: the API key; open services take any.
        retries: times that a refused request is sent again.

    Raises:
        CommandError: in place of any error of the library that is not caught within.
    """
    try:
        async with AsyncOpenAI(
            base_url=url, api_key=key, timeout=TIMEOUT_SECONDS, max_retries=retries
        ) as client:
            yield client
    except OpenAIError as error:
        raise CommandError(readable(error, url)) from error


def readable(error: OpenAIError, url: str) -> str:
    """What went wrong, in one sentence."""
    if isinstance(error, APITimeoutError):
        return f"{url} did not answer within {TIMEOUT_SECONDS:.0f} s"
    if isinstance(error, APIConnectionError):
        return f"{url} cannot be reached; is `remoe serve` running?"
    if isinstance(error, APIStatusError):
        return f"{url} answered {error.status_code}: {_said(error)}"
    return f"{url}: {error}"


def _said(error: APIStatusError) -> str:
    """The service's own words, where it used OpenAI's envelope."""
    body = error.body
    message = body.get("message") if isinstance(body, dict) else None
    return message if isinstance(message, str) else error.response.reason_phrase
