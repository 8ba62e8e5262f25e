"""Reading a request's body: bounded while it is read, and JSON or refused."""

from __future__ import annotations

from typing import Any

from pydantic_core import from_json
from starlette.requests import Request

from remoe_functions.gateway.errors import BodyTooLarge, InvalidRequest


async def read_json(request: Request, max_bytes: int) -> dict[str, Any]:
    """The body as a JSON object.

    Raises:
        BodyTooLarge: it is announced to be, or turns out to be, larger than `max_bytes`.
        InvalidRequest: not UTF-8, not JSON, or not an object.
        ClientDisconnect: the client left first.
    """
    try:
        body = from_json(await _read(request, max_bytes), allow_inf_nan=False)
    except ValueError as error:
        raise InvalidRequest(f"the body is not valid JSON: {error}", code="invalid_json") from error
    if not isinstance(body, dict):
        raise InvalidRequest("the body must be a JSON object", code="invalid_json")
    return body


async def _read(request: Request, max_bytes: int) -> bytes:
    announced = request.headers.get("content-length", "0")
    if announced.isdecimal() and int(announced) > max_bytes:
        raise BodyTooLarge(max_bytes)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > max_bytes:
            raise BodyTooLarge(max_bytes)
    return bytes(body)
