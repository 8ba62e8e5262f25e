"""What a route may ask of its request: the services, the request's id, and what its key opens."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import Request

from remoe_functions.gateway.model_entry import ModelEntry
from remoe_functions.gateway.model_service import ModelService
from remoe_functions.gateway.services import Services


@dataclass(frozen=True, slots=True, kw_only=True)
class Entered:
    """A model that a request's key opened, and the key's name."""

    service: ModelService
    key: str


def services_of(request: Request) -> Services:
    """What this gateway serves with."""
    services: Services = request.app.state.services
    return services


def request_id_of(request: Request) -> str:
    """The id that `request_id` gave this request."""
    return str(request.scope["state"]["request_id"])


def usable(request: Request) -> tuple[ModelEntry, ...]:
    """The models that this request may use.

    Raises:
        InvalidKey: it came without a key, or with a wrong one.
    """
    return services_of(request).usable(_authorization(request))


def entered(request: Request, name: str) -> Entered:
    """The model of that name, for this request.

    Raises:
        GatewayError: there is none, it is not this key's, or it is unavailable.
    """
    entry, key = services_of(request).enter(name, _authorization(request))
    return Entered(service=entry.service, key=key)


def entry_of(request: Request, name: str) -> ModelEntry:
    """The same, whether or not it is available.

    Raises:
        GatewayError: there is none, or it is not this key's.
    """
    return services_of(request).enter(name, _authorization(request))[0]


def entered_only(request: Request, name: str | None) -> Entered:
    """The model of that name; without one, the only one this request may use.

    Raises:
        GatewayError: there is none, or it is unavailable.
    """
    entry, key = services_of(request).enter_only(name, _authorization(request))
    return Entered(service=entry.service, key=key)


def _authorization(request: Request) -> str | None:
    return request.headers.get("authorization")
