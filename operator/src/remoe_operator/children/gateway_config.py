"""`gateway.json`: what a namespace's gateway serves, and where it finds it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from remoe_operator.children import ports
from remoe_operator.children.labels import MAIN_PART
from remoe_operator.children.main import TOKEN_KEY
from remoe_operator.children.manifest import Manifest
from remoe_operator.children.model_names import model_names
from remoe_operator.children.plan_config import PLAN_FILE
from remoe_operator.children.service import ServedService
from remoe_operator.planned.price_list import price_list
from remoe_operator.resource.duration import seconds_of
from remoe_operator.resource.spec import MoEServiceSpec
from remoe_operator.settings import Settings

CONFIG_FILE: Final = "gateway.json"
CONFIG_FOLDER: Final = "/etc/remoe/gateway"
PROFILE_FILE: Final = "profile.json"
STATE_FOLDER: Final = "/state"


def models_folder(service: str) -> str:
    """Folder of a service's `model` and `history`."""
    return f"/models/{service}"


def plan_folder(service: str) -> str:
    """Folder of a service's plan."""
    return f"/etc/remoe/plans/{service}"


def token_folder(service: str) -> str:
    """Folder of the token by which a service's parts know each other."""
    return f"/etc/remoe/tokens/{service}"


def keys_folder(service: str) -> str:
    """Folder of the API keys of a service, one file each."""
    return f"/etc/remoe/keys/{service}"


def profile_folder(service: str) -> str:
    """Folder of the hardware profile of a service."""
    return f"/etc/remoe/profiles/{service}"


def gateway_config(
    served: Sequence[ServedService], settings: Settings, namespace: str
) -> dict[str, Any]:
    """The file as JSON-able values.

    Args:
        served: at least one service, sorted by name.
        settings: the operator's.
        namespace: the gateway's.
    """
    called = model_names(one.service for one in served)
    return {
        "host": "0.0.0.0",  # noqa: S104 (in a pod)
        "port": ports.API,
        "cluster": {"namespace": namespace},
        "models": [_model(one, called[one.service.name]) for one in served],
        "limits": {
            "drain_seconds": settings.gateway.drain_seconds,
            "lame_duck_seconds": settings.gateway.lame_duck_seconds,
        },
    }


def _model(one: ServedService, called: str) -> Manifest:
    service, spec = one.service.name, one.service.spec
    root = models_folder(service)
    given = {
        "name": called,
        "directory": f"{root}/model",
        "plan": f"{plan_folder(service)}/{PLAN_FILE}",
        "history": f"{root}/history" if spec.history.enabled else None,
        "profile": f"{profile_folder(service)}/{PROFILE_FILE}" if spec.profile else None,
        "main_part": MAIN_PART,
        "main_keep_alive_seconds": _keep_alive(spec),
        "max_context": spec.main.max_context,
        "service": service,
        "plan_digest": one.plan.digest,
        "token_file": f"{token_folder(service)}/{TOKEN_KEY}",
        "keys_directory": keys_folder(service) if spec.auth.keys_secret else None,
        "state": f"{STATE_FOLDER}/{service}",
        "slo": _slo(spec) or None,
        "prices": _prices(spec),
    }
    return {name: value for name, value in given.items() if value is not None}


def _keep_alive(spec: MoEServiceSpec) -> float | None:
    """How long an idle main model stays; None where one always does."""
    return None if spec.main.min_replicas else seconds_of(spec.main.idle_timeout)


def _slo(spec: MoEServiceSpec) -> dict[str, float]:
    promised = {"ttft_seconds": spec.slo.ttft, "tpot_seconds": spec.slo.tpot}
    given = {name: seconds_of(text) for name, text in promised.items() if text is not None}
    return given | {"percentile": spec.slo.percentile / 100} if given else {}


def _prices(spec: MoEServiceSpec) -> dict[str, float | str]:
    prices = price_list(spec)
    return {
        "main_gib_second": prices.main_gib_second,
        "function_gib_second": prices.function_gib_second,
        "gpu_gib_second": prices.gpu_gib_second,
        "call": prices.call,
        "currency": prices.currency,
    }
