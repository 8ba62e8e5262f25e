"""What a route may ask of its request: the services, the request's id, and the name of its key."""

from __future__ import annotations

from starlette.requests import Request

from remoe_functions.gateway.services import Services


def services_of(request: Request) -> Services:
    """What this gateway serves with."""
    services: Services = request.app.state.services
    return services


def request_id_of(request: Request) -> str:
    """The id that `request_id` gave this request."""
    return str(request.scope["state"]["request_id"])


def key_name(request: Request) -> str:
    """The name of the key this request came with.

    Raises:
        InvalidKey: it came without one, or with a wrong one.
    """
    return services_of(request).keys.name_of(request.headers.get("authorization"))
