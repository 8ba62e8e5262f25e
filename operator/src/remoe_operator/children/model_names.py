"""What clients call each model of a namespace, where two services may ask for the same name."""

from __future__ import annotations

from collections.abc import Iterable

from remoe_operator.children.service import Service


def model_names(services: Iterable[Service]) -> dict[str, str]:
    """The name of each service's model, by the service's name; no two are the same.

    A served name that is another service's own name, or that one earlier in the alphabet asked
    for, is not given: that model goes by its service's name.
    """
    ordered = sorted(services, key=lambda service: service.name)
    taken = {service.name for service in ordered}
    given: dict[str, str] = {}
    for service in ordered:
        asked = service.spec.model.served_name or service.name
        given[service.name] = service.name if asked in taken else asked
        taken.add(asked)
    return given
