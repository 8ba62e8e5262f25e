"""What a gateway mounts of each service: model, history, plan, token, keys and profile."""

from __future__ import annotations

from collections.abc import Iterator

from remoe_operator.children import names
from remoe_operator.children.gateway_config import (
    PROFILE_FILE,
    keys_folder,
    models_folder,
    plan_folder,
    profile_folder,
    token_folder,
)
from remoe_operator.children.main import TOKEN_KEY
from remoe_operator.children.manifest import Manifest
from remoe_operator.children.plan_config import PLAN_FILE
from remoe_operator.children.pod import config_volume, read_only
from remoe_operator.children.service import ServedService
from remoe_operator.children.storage import Storage


def volumes(one: ServedService) -> Iterator[Manifest]:
    """A service's volumes; their names end in its own.

    A Secret with API keys that is not there must not keep the gateway from serving others: its
    folder is empty then, and nobody is let in.
    """
    service, spec = one.service.name, one.service.spec
    yield from _storage(one).volumes
    plan = names.plan(service, one.plan.digest)
    yield config_volume(f"plan-{service}", plan, [(PLAN_FILE, PLAN_FILE)])
    token = {"secretName": names.token(service), "items": [{"key": TOKEN_KEY, "path": TOKEN_KEY}]}
    yield {"name": f"token-{service}", "secret": token}
    if spec.auth.keys_secret:
        keys = {"secretName": spec.auth.keys_secret, "optional": True}
        yield {"name": f"keys-{service}", "secret": keys}
    if spec.profile:
        items = [(spec.profile.key, PROFILE_FILE)]
        yield config_volume(f"profile-{service}", spec.profile.name, items)


def mounts(one: ServedService) -> Iterator[Manifest]:
    """The same in the container, all of it only read."""
    service, spec = one.service.name, one.service.spec
    yield from _storage(one).mounts
    yield read_only(f"plan-{service}", plan_folder(service))
    yield read_only(f"token-{service}", token_folder(service))
    if spec.auth.keys_secret:
        yield read_only(f"keys-{service}", keys_folder(service))
    if spec.profile:
        yield read_only(f"profile-{service}", profile_folder(service))


def _storage(one: ServedService) -> Storage:
    name = one.service.name
    return Storage(
        service=one.service,
        suffix=f"-{name}",
        root=models_folder(name),
        history_read_only=True,
    )
