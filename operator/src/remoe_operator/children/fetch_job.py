"""The Job that brings a model's weights to the claim, once, and tells what it found.

It ends by itself when its weights are complete; what it says last becomes the model's facts. A
fault that trying again cannot mend (exit status 2) ends it at once, an eviction counts as no try.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256

from remoe_operator.children import names, ports, source
from remoe_operator.children.labels import SOURCE, Component, of_service
from remoe_operator.children.manifest import Manifest, owned
from remoe_operator.children.pod import Pod, secret_variable
from remoe_operator.children.service import Service
from remoe_operator.children.storage import Storage
from remoe_operator.settings import ImageKey, Settings

PERMANENT_FAULT = 2
_TRIES = 10
_MOST_SECONDS = 24 * 3600
_DATA = "/data"


def source_key(service: Service) -> str:
    """Eight hex digits of what the model is fetched from: facts of another key are stale."""
    return source.source_key(service.spec)


def fetch_job(service: Service, settings: Settings, token_secret_version: str) -> Manifest:
    """The Job `<service>-fetch-<hash>`; create it where no Job of this name is, never change it.

    The name changes with the source and with the access token, not with the operator's settings.

    Args:
        service: whose model.
        settings: the operator's.
        token_secret_version: resourceVersion of the Secret of `model.tokenSecret`; empty without.
    """
    name = names.fetch_job(service.name, _key(service, token_secret_version))
    labels = {SOURCE: source_key(service)}
    made = owned(service, "Job", name, Component.FETCH, labels=labels)
    made["spec"] = {
        "backoffLimit": _TRIES,
        "activeDeadlineSeconds": _MOST_SECONDS,
        "podFailurePolicy": {"rules": _failure_rules()},
        "template": {
            "metadata": {"labels": of_service(service.name, Component.FETCH) | labels},
            "spec": _pod(service, settings).spec(settings) | {"restartPolicy": "Never"},
        },
    }
    return made


def fetch_args(service: Service) -> Iterator[str]:
    """The fetch image's arguments."""
    model = service.spec.model
    yield from ("--uri", model.uri)
    if model.revision is not None:
        yield from ("--revision", model.revision)
    if model.endpoint is not None:
        yield from ("--endpoint", model.endpoint)
    if source.is_own_claim(service.spec):
        yield from ("--at", "/model")
    if source.has_data_claim(service.spec):
        yield from ("--into", _DATA)
    if service.spec.history.enabled:
        yield "--history"


def _key(service: Service, token_secret_version: str) -> str:
    secret = service.spec.model.token_secret
    token = f"{secret.name}/{secret.key}@{token_secret_version}" if secret else ""
    return sha256(f"{source_key(service)}\0{token}".encode()).hexdigest()[:8]


def _pod(service: Service, settings: Settings) -> Pod:
    storage = Storage(service=service, history=False)
    own_claim = source.is_own_claim(service.spec)
    volumes = list(storage.volumes) if own_claim else []
    mounts = list(storage.mounts) if own_claim else []
    if source.has_data_claim(service.spec):
        volumes.append(source.data_volume(service.name, "data"))
        mounts.append({"name": "data", "mountPath": _DATA})
    resources = settings.fetch.resources
    return Pod(
        container="fetch",
        image=settings.image(ImageKey.FETCH),
        args=tuple(fetch_args(service)),
        account=names.fetch(service.name),
        api_token=False,
        env=tuple(_token(service)),
        ports={ports.HTTP_NAME: ports.PROGRESS},
        mounts=tuple(mounts),
        volumes=tuple(volumes),
        resources={"requests": resources.requests, "limits": resources.limits},
    )


def _token(service: Service) -> Iterator[Manifest]:
    secret = service.spec.model.token_secret
    if secret is not None:
        yield secret_variable("HF_TOKEN", secret.name, secret.key)


def _failure_rules() -> list[Manifest]:
    permanent = {"containerName": "fetch", "operator": "In", "values": [PERMANENT_FAULT]}
    disrupted = [{"type": "DisruptionTarget", "status": "True"}]
    return [
        {"action": "Ignore", "onPodConditions": disrupted},
        {"action": "FailJob", "onExitCodes": permanent},
    ]
