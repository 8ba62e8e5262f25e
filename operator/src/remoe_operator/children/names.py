"""What every object is called. A service's name has 40 characters at most, so that these fit."""

from __future__ import annotations

from hashlib import sha256

GATEWAY = "remoe-gateway"
_MOST = 63


def main(service: str) -> str:
    """The main model's Deployment, Service, budget, account, role and network policy."""
    return f"{service}-main"


def function(service: str, digest: str, part: str) -> str:
    """A function's Deployment and Service; `part` is its name in the plan."""
    return _bounded(f"{service}-{digest}-{part}")


def functions(service: str) -> str:
    """The account and the network policy that all functions share."""
    return f"{service}-function"


def plan(service: str, digest: str) -> str:
    """The plan's ConfigMap."""
    return f"{service}-plan-{digest}"


def facts(service: str) -> str:
    """The ConfigMap of what is known of the model."""
    return f"{service}-model"


def token(service: str) -> str:
    """The Secret with the token that the parts know each other by."""
    return f"{service}-token"


def data(service: str) -> str:
    """The claim of our own."""
    return f"{service}-data"


def fetch(service: str) -> str:
    """The fetch Job's account and network policy."""
    return f"{service}-fetch"


def fetch_job(service: str, key: str) -> str:
    """The Job that fetches from one source with one token."""
    return f"{service}-fetch-{key}"


def _bounded(name: str) -> str:
    """The name, with its tail replaced by a mark of it where a DNS label would not hold it."""
    if len(name) <= _MOST:
        return name
    return f"{name[: _MOST - 9].rstrip('-')}-{sha256(name.encode()).hexdigest()[:8]}"
