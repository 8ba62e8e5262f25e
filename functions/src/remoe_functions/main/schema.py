"""The body of POST /generate, checked, and the lines of its answer."""

from __future__ import annotations

import base64
import json
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from remoe_functions.main.errors import InvalidRequest
from remoe_functions.main.request import (
    Event,
    Failed,
    Finished,
    GenerateRequest,
    Prefilled,
    Sampling,
    Token,
    Usage,
)

TokenId = Annotated[int, Field(ge=0)]
MAX_SEED = 2**64 - 1
MAX_LOGPROBS = 20


class GenerateBody(BaseModel):
    """What the gateway sends."""

    model_config = ConfigDict(extra="forbid", strict=True)

    request_id: str = Field(min_length=1, max_length=200)
    prompt: list[TokenId] = Field(min_length=1)
    generated: list[TokenId] = []
    max_tokens: int = Field(ge=1)
    temperature: float = Field(default=1.0, ge=0, le=100)
    top_p: float = Field(default=1.0, gt=0, le=1)
    top_k: int | None = Field(default=None, ge=1)
    seed: int = Field(default=0, ge=0, le=MAX_SEED)
    logprobs: int | None = Field(default=None, ge=0, le=MAX_LOGPROBS)
    stop_token_ids: list[TokenId] = []
    ignore_eos: bool = False
    frequency_penalty: float = Field(default=0.0, ge=-2, le=2)
    presence_penalty: float = Field(default=0.0, ge=-2, le=2)
    report_routing: bool = False

    def to_request(self) -> GenerateRequest:
        return GenerateRequest(
            request_id=self.request_id,
            prompt=tuple(self.prompt),
            generated=tuple(self.generated),
            max_tokens=self.max_tokens,
            stop_token_ids=frozenset(self.stop_token_ids),
            ignore_eos=self.ignore_eos,
            report_routing=self.report_routing,
            sampling=Sampling(
                temperature=self.temperature,
                top_p=self.top_p,
                top_k=self.top_k,
                seed=self.seed,
                frequency_penalty=self.frequency_penalty,
                presence_penalty=self.presence_penalty,
                logprobs=self.logprobs,
            ),
        )


def parse_request(body: bytes) -> GenerateRequest:
    """Read a request.

    Raises:
        InvalidRequest: not JSON, or a field is wrong; names the first.
    """
    try:
        return GenerateBody.model_validate_json(body).to_request()
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(map(str, first["loc"])) or "body"
        raise InvalidRequest(f"{field}: {first['msg']}, got {_short(first['input'])}") from error


def line_of(event: Event) -> bytes:
    """One line of the answer."""
    return json.dumps(_body_of(event)).encode() + b"\n"


def error_body(code: str, message: str) -> dict[str, Any]:
    """An error as callers read it, in a response or as the last line of an answer."""
    return {"error": {"code": code, "message": message}}


def _body_of(event: Event) -> dict[str, Any]:
    match event:
        case Token(token=token, logprob=logprob, top=top):
            return {"token": token, "logprob": logprob, "top": top}
        case Prefilled(counts=counts, experts=experts):
            return {"prefill": {"counts": _packed(counts), "experts": _packed(experts)}}
        case Finished(reason=reason, usage=usage):
            return {"finish": reason, "usage": _usage_body(usage)}
        case Failed(code=code, message=message):
            return error_body(code, message)


def _usage_body(usage: Usage) -> dict[str, Any]:
    local, remote, fallback = usage.layers.sum(axis=0).tolist()
    decode = {} if usage.decode is None else {"decode": _packed(usage.decode)}
    return decode | {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "queue_seconds": usage.queue_seconds,
        "prefill_seconds": usage.prefill_seconds,
        "decode_seconds": usage.decode_seconds,
        "main_seconds": usage.main_seconds,
        "functions": {
            name: {"calls": use.calls, "rows": use.rows, "busy_seconds": use.busy_seconds}
            for name, use in usage.functions.items()
        },
        "placements": {"local": local, "remote": remote, "fallback": fallback},
        "layers": usage.layers.tolist(),
    }


def _packed(array: NDArray[Any]) -> dict[str, Any]:
    """An array of whole numbers as base64 of its little-endian bytes, C order."""
    plain = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
    text = base64.b64encode(plain.tobytes()).decode()
    return {"shape": list(array.shape), "dtype": plain.dtype.str, "data": text}


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
