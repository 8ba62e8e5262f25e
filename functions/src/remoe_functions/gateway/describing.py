"""The doors that answer without the main model: models, tokens, health, metrics, version."""

from __future__ import annotations

import asyncio
from importlib.metadata import version
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from remoe_functions.gateway.access import services_of
from remoe_functions.gateway.body import read_json
from remoe_functions.gateway.errors import InvalidRequest
from remoe_functions.gateway.served_model import ServedModel
from remoe_functions.gateway.token_requests import DetokenizeRequest, TokenizeRequest


async def models(request: Request) -> JSONResponse:
    """GET /v1/models."""
    served = [_describe(s.model) for s in services_of(request).models.values()]
    return JSONResponse({"object": "list", "data": served})


async def model(request: Request) -> JSONResponse:
    """GET /v1/models/{id}."""
    name = request.path_params["name"]
    return JSONResponse(_describe(services_of(request).model(name).model))


async def tokenize(request: Request) -> JSONResponse:
    """POST /tokenize."""
    services = services_of(request)
    asked = TokenizeRequest.parse(await read_json(request, services.limits.max_body_bytes))
    served = services.model_or_only(asked.model).model
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
    served = services.model_or_only(asked.model).model
    text = await asyncio.to_thread(served.tokenizer.decode_all, asked.tokens)
    return JSONResponse({"prompt": text})


async def health(_request: Request) -> JSONResponse:
    """GET /health: the process runs and answers."""
    return JSONResponse({"status": "alive"})


async def ready(request: Request) -> JSONResponse:
    """GET /ready: requests are taken. A model that sleeps is no reason not to take them."""
    services = services_of(request)
    if services.house.drain.begun:
        return JSONResponse({"status": "draining"}, 503)
    if services.parts.latest is None:
        return JSONResponse({"status": "waiting for the runtime"}, 503)
    awake = {name: service.door.is_ready for name, service in services.models.items()}
    return JSONResponse({"status": "ready", "models_awake": awake})


async def metrics(request: Request) -> Response:
    """GET /metrics, for Prometheus."""
    body = generate_latest(services_of(request).metrics.registry)
    return Response(body, media_type=CONTENT_TYPE_LATEST)


async def show_version(_request: Request) -> JSONResponse:
    """GET /version."""
    return JSONResponse({"version": version("remoe-functions")})


def _describe(served: ServedModel) -> dict[str, Any]:
    return {
        "id": served.name,
        "object": "model",
        "created": served.created,
        "owned_by": "remoe",
        "max_model_len": served.context,
    }


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
