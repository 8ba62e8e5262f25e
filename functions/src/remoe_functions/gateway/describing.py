"""The doors that answer without the main model: models, tokens, health, metrics, use, version."""

from __future__ import annotations

import asyncio
from importlib.metadata import version
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from remoe_functions.gateway.access import entered_only, entry_of, services_of, usable
from remoe_functions.gateway.body import read_json
from remoe_functions.gateway.errors import InvalidRequest, ModelNotFound
from remoe_functions.gateway.model_entry import ModelEntry
from remoe_functions.gateway.model_service import ModelService
from remoe_functions.gateway.served_model import ServedModel
from remoe_functions.gateway.token_requests import DetokenizeRequest, TokenizeRequest


async def models(request: Request) -> JSONResponse:
    """GET /v1/models: those that the caller may use."""
    return JSONResponse({"object": "list", "data": [_describe(e) for e in usable(request)]})


async def model(request: Request) -> JSONResponse:
    """GET /v1/models/{id}."""
    name = request.path_params["name"]
    return JSONResponse(_describe(entry_of(request, name)))


async def tokenize(request: Request) -> JSONResponse:
    """POST /tokenize."""
    services = services_of(request)
    asked = TokenizeRequest.parse(await read_json(request, services.limits.max_body_bytes))
    served = entered_only(request, asked.model).service.model
    tokens = await asyncio.to_thread(_tokenize, served, asked)
    strings = [served.tokenizer.bytes_of(token).decode("utf-8", "replace") for token in tokens]
    return JSONResponse(
        {
            "count": len(tokens),
            "max_model_len": served.context,
            "tokens": list(tokens),
            "token_strs": strings if asked.return_token_strs else None,
        }
    )


async def detokenize(request: Request) -> JSONResponse:
    """POST /detokenize."""
    services = services_of(request)
    asked = DetokenizeRequest.parse(await read_json(request, services.limits.max_body_bytes))
    served = entered_only(request, asked.model).service.model
    text = await asyncio.to_thread(served.tokenizer.decode_all, asked.tokens)
    return JSONResponse({"prompt": text})


async def health(_request: Request) -> JSONResponse:
    """GET /health: the process runs and answers."""
    return JSONResponse({"status": "alive"})


async def ready(request: Request) -> JSONResponse:
    """GET /ready: requests are taken. A model that sleeps is no reason not to take them."""
    services = services_of(request)
    entries = services.models.values()
    if services.house.drain.leaving:
        return JSONResponse({"status": "draining"}, 503)
    if all(entry.parts.latest is None for entry in entries):
        return JSONResponse({"status": "waiting for the runtime"}, 503)
    if not all(entry.is_settled for entry in entries):
        return JSONResponse({"status": "reading the models' files"}, 503)
    awake = {e.name: e.served is not None and e.served.door.is_ready for e in entries}
    trouble = {entry.name: entry.trouble for entry in entries if entry.served is None}
    return JSONResponse({"status": "ready", "models_awake": awake, "unavailable": trouble})


async def metrics(request: Request) -> Response:
    """GET /metrics, for Prometheus."""
    body = generate_latest(services_of(request).metrics.registry)
    return Response(body, media_type=CONTENT_TYPE_LATEST)


async def usage(request: Request) -> Response:
    """GET /usage?model=NAME: what was recorded of late, for who makes plans. Numbers only."""
    entries, name = services_of(request).models, request.query_params.get("model")
    if name is None and len(entries) > 1:
        raise InvalidRequest("model: several are served, name one", param="model")
    entry = entries.get(name) if name is not None else next(iter(entries.values()))
    if entry is None:
        raise ModelNotFound(str(name)[:200], tuple(entries))
    return await asyncio.to_thread(_tell_usage, entry.service)


async def show_version(_request: Request) -> JSONResponse:
    """GET /version."""
    return JSONResponse({"version": version("remoe-functions")})


def _describe(entry: ModelEntry) -> dict[str, Any]:
    """OpenAI's model object; one that is not served now says why."""
    served = None if entry.served is None else entry.served.model
    model = {
        "id": entry.name,
        "object": "model",
        "created": 0 if served is None else served.created,
        "owned_by": "remoe",
        "max_model_len": None if served is None else served.context,
        "available": served is not None,
    }
    return model if served is not None else model | {"reason": entry.trouble}


def _tell_usage(service: ModelService) -> Response:
    saving = 0.0 if service.forecasting is None else service.forecasting.saving_per_hour
    return JSONResponse(service.usage.to_dict() | {"replan_saving_per_hour": saving})


def _tokenize(served: ServedModel, asked: TokenizeRequest) -> tuple[int, ...]:
    if (asked.prompt is None) == (asked.messages is None):
        raise InvalidRequest("give either prompt or messages", param="prompt")
    if asked.messages is not None:
        return served.chat_prompt(
            [message.as_template_message() for message in asked.messages],
            add_generation_prompt=asked.add_generation_prompt,
        )
    special = asked.add_special_tokens
    return tuple(served.tokenizer.encode(asked.prompt or "", add_special_tokens=special))
