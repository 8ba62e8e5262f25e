"""The doors of /v1/chat/completions and /v1/completions: parse, check, tokenize, run, spell."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Sequence
from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp

from remoe_functions.gateway.access import Entered, entered, request_id_of, services_of
from remoe_functions.gateway.body import read_json
from remoe_functions.gateway.chat_format import ChatFormat
from remoe_functions.gateway.chat_request import ChatRequest
from remoe_functions.gateway.completion import Completion
from remoe_functions.gateway.completion_format import CompletionFormat
from remoe_functions.gateway.completion_request import CompletionRequest
from remoe_functions.gateway.disconnection import unless_client_leaves
from remoe_functions.gateway.formats import AnswerFormat, Choice, Heading
from remoe_functions.gateway.job import Job
from remoe_functions.gateway.model_service import ModelService
from remoe_functions.gateway.sampling_request import SamplingRequest
from remoe_functions.gateway.streaming import EventStream, Put
from remoe_functions.gateway.transcript import Piece

Tokens = tuple[int, ...]


async def chat_completions(request: Request) -> ASGIApp:
    """POST /v1/chat/completions."""
    services = services_of(request)
    asked = ChatRequest.parse(await read_json(request, services.limits.max_body_bytes))
    within = entered(request, asked.model)
    asked.check(services.limits)
    prompt = await asyncio.to_thread(within.service.model.chat_prompt, asked.template_messages)
    completion = _completion(request, within, asked, [prompt], param="messages")
    heading = _heading("chatcmpl", request, asked)
    return await _respond(request, asked, completion, ChatFormat(heading))


async def completions(request: Request) -> ASGIApp:
    """POST /v1/completions."""
    services = services_of(request)
    asked = CompletionRequest.parse(await read_json(request, services.limits.max_body_bytes))
    within = entered(request, asked.model)
    asked.check(services.limits, prompts=len(asked.prompts))
    tokenize = partial(
        within.service.model.text_prompt, add_special_tokens=asked.add_special_tokens
    )
    prompts = await asyncio.to_thread(lambda: [tokenize(prompt) for prompt in asked.prompts])
    completion = _completion(request, within, asked, prompts, param="prompt")
    heading = _heading("cmpl", request, asked)
    return await _respond(request, asked, completion, CompletionFormat(heading))


def _completion(
    request: Request,
    within: Entered,
    asked: SamplingRequest,
    prompts: Sequence[Tokens],
    *,
    param: str,
) -> Completion:
    return Completion(
        request_id_of(request),
        _jobs(request, within.service, asked, prompts, param=param),
        key=within.key,
        prompt_tokens=sum(map(len, prompts)),
        service=within.service,
        house=services_of(request).house,
    )


def _jobs(
    request: Request,
    service: ModelService,
    asked: SamplingRequest,
    prompts: Sequence[Tokens],
    *,
    param: str,
) -> tuple[Job, ...]:
    """A job per choice: all of the first prompt's, then the second's, seeds counting through."""
    model, limits = service.model, services_of(request).limits
    sampling = asked.sampling()
    eos = () if asked.ignore_eos else model.eos_token_ids
    # Clients may repeat their request ids; main must be able to tell the jobs apart.
    job_id = f"{request_id_of(request)}-{secrets.token_hex(4)}"
    return tuple(
        Job(
            request_id=f"{job_id}-{place * asked.n + index}",
            prompt=prompt,
            max_tokens=model.answer_tokens(
                len(prompt), asked.wanted_tokens, limits.default_max_tokens, param=param
            ),
            sampling=sampling.for_choice(index),
            stop_token_ids=tuple(sorted({*eos, *asked.stop_token_ids})),
            stops=asked.stops,
        )
        for place, prompt in enumerate(prompts)
        for index in range(asked.n)
    )


def _heading(prefix: str, request: Request, asked: SamplingRequest) -> Heading:
    return Heading(
        id=f"{prefix}-{request_id_of(request)}",
        created=int(time.time()),
        model=asked.model,
        logprobs=asked.wanted_logprobs,
        include_usage=asked.include_usage,
    )


async def _respond(
    request: Request, asked: SamplingRequest, completion: Completion, form: AnswerFormat
) -> ASGIApp:
    if asked.stream:
        produce = partial(_stream, completion, form, asked.include_usage)
        seconds = services_of(request).limits.keep_alive_seconds
        return EventStream(produce, keep_alive_seconds=seconds)
    return await unless_client_leaves(_whole(completion, form, completion.choices), request.receive)


async def _stream(
    completion: Completion, form: AnswerFormat, include_usage: bool, put: Put
) -> None:
    async def emit(index: int, piece: Piece) -> None:
        for chunk in form.chunks(index, piece):
            await put(chunk)

    summary = await completion.run(emit)
    if include_usage:
        await put(form.usage_chunk(summary.usage))


async def _whole(completion: Completion, form: AnswerFormat, count: int) -> JSONResponse:
    choices = [Choice() for _ in range(count)]

    async def emit(index: int, piece: Piece) -> None:
        choices[index].add(piece)

    summary = await completion.run(emit)
    body: dict[str, Any] = form.whole(choices, summary.usage)
    return JSONResponse(body, headers=summary.headers)
