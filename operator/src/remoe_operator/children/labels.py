"""The labels by which parts are found: by people, by selectors, by EndpointSlices' watchers."""

from __future__ import annotations

from enum import StrEnum

SERVICE, PART, PLAN = "remoe.dev/service", "remoe.dev/part", "remoe.dev/plan"
SOURCE = "remoe.dev/source"
NAME, COMPONENT, INSTANCE = (
    f"app.kubernetes.io/{label}" for label in ("name", "component", "instance")
)
MANAGED_BY = "app.kubernetes.io/managed-by"
MAIN_PART = "main"


class Component(StrEnum):
    """What kind of thing an object belongs to."""

    MAIN = "main"
    FUNCTION = "function"
    FETCH = "fetch"
    GATEWAY = "gateway"
    DATA = "data"


def of_service(service: str, component: Component) -> dict[str, str]:
    """Labels of an object of a service."""
    return {**of_gateway(component), INSTANCE: service, SERVICE: service}


def of_gateway(component: Component = Component.GATEWAY) -> dict[str, str]:
    """Labels of what a namespace's services share."""
    return {NAME: "remoe", MANAGED_BY: "remoe-operator", COMPONENT: component.value}
