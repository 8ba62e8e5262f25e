"""Where a model's weights lie on the cluster: our claim, or the user's; as volumes and mounts."""

from __future__ import annotations

from hashlib import sha256
from typing import Final

from remoe_operator.children import names
from remoe_operator.children.manifest import Manifest
from remoe_operator.resource.spec import MoEServiceSpec

MODEL_FOLDER: Final = "model"
HISTORY_FOLDER: Final = "history"
_PVC = "pvc://"


def is_own_claim(spec: MoEServiceSpec) -> bool:
    """Whether the weights lie on the user's claim, where they are only read."""
    return spec.model.uri.startswith(_PVC)


def has_data_claim(spec: MoEServiceSpec) -> bool:
    """Whether there is a claim of our own: for fetched weights, for history, or for both."""
    return not is_own_claim(spec) or spec.history.enabled


def source_key(spec: MoEServiceSpec) -> str:
    """Eight hex digits of what has to be fetched and made: facts of another key are stale."""
    model = spec.model
    parts = (model.uri, model.revision or "", model.endpoint or "", str(spec.history.enabled))
    return sha256("\0".join(parts).encode()).hexdigest()[:8]


def user_claim(spec: MoEServiceSpec) -> tuple[str, str]:
    """The user's claim and the path in it, which may be empty."""
    claim, _, path = spec.model.uri.removeprefix(_PVC).partition("/")
    return claim, path.strip("/")


def model_mount(spec: MoEServiceSpec, volume: str, at: str) -> Manifest:
    """The weights, read-only.

    Args:
        spec: whose model.
        volume: name of the volume with the claim.
        at: path in the container.
    """
    path = user_claim(spec)[1] if is_own_claim(spec) else MODEL_FOLDER
    made: Manifest = {"name": volume, "mountPath": at, "readOnly": True}
    return made | ({"subPath": path} if path else {})


def history_mount(volume: str, at: str, *, read_only: bool) -> Manifest:
    """The record of activations."""
    made: Manifest = {"name": volume, "mountPath": at, "subPath": HISTORY_FOLDER}
    return made | ({"readOnly": True} if read_only else {})


def user_volume(spec: MoEServiceSpec, name: str) -> Manifest:
    """The user's claim, of which nothing but reading is asked: a read-only one serves, too."""
    claim, _ = user_claim(spec)
    return {"name": name, "persistentVolumeClaim": {"claimName": claim, "readOnly": True}}


def data_volume(service: str, name: str) -> Manifest:
    """Our own claim."""
    return {"name": name, "persistentVolumeClaim": {"claimName": names.data(service)}}
