"""What is still there of a service that was deleted."""

from __future__ import annotations

from e2e.deployed import MADE


def left(service):
    """Names of everything that was made for it and is not gone yet."""
    found = service.kubectl.list(f"{MADE},pods", service=service.name)
    return [f"{o['kind']}/{o['metadata']['name']}" for o in found]
