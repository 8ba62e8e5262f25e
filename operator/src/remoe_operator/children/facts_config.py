"""What is known of a fetched model, kept in a ConfigMap: shape, revision and bytes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from remoe_operator.children import names
from remoe_operator.children.labels import SOURCE, Component
from remoe_operator.children.manifest import Manifest, owned
from remoe_operator.children.source import source_key
from remoe_planner.architecture import Architecture

if TYPE_CHECKING:
    from remoe_operator.children.service import Service

_SHAPE, _REVISION, _BYTES = "architecture.json", "revision", "bytes"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFacts:
    """A model on its claim.

    Attributes:
        architecture: its shape, as the fetch Job read it from the files.
        revision: the commit that was resolved; as the source says where it has none.
        bytes: of all its files.
    """

    architecture: Architecture
    revision: str
    bytes: int


def facts_config(service: Service, facts: ModelFacts) -> Manifest:
    """The ConfigMap `<service>-model`.

    Its label `remoe.dev/source` is `source_key(service)`: facts of another source are stale.
    """
    labels = {SOURCE: source_key(service.spec)}
    made = owned(service, "ConfigMap", names.facts(service.name), Component.DATA, labels=labels)
    made["data"] = {
        _SHAPE: json.dumps(asdict(facts.architecture), sort_keys=True),
        _REVISION: facts.revision,
        _BYTES: str(facts.bytes),
    }
    return made


def facts_of(config_map: Manifest) -> ModelFacts:
    """Read what `facts_config` wrote.

    Raises:
        ValueError: a key is missing or makes no sense; says which.
    """
    data = config_map.get("data") or {}
    try:
        shape = json.loads(data[_SHAPE])
        return _facts({"architecture": shape, "revision": data[_REVISION], "bytes": data[_BYTES]})
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"not the facts of a model: {error!r}") from error


def facts_from_message(message: str) -> ModelFacts:
    """Read the fetch Job's termination message.

    Raises:
        ValueError: it is no such message; says why.
    """
    try:
        return _facts(json.loads(message))
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"the fetch Job ended with no facts of a model: {error!r}") from error


def _facts(body: Mapping[str, Any]) -> ModelFacts:
    shape = body["architecture"]
    return ModelFacts(
        architecture=Architecture(**(shape | {"layers": tuple(shape["layers"])})),
        revision=str(body["revision"]),
        bytes=int(body["bytes"]),
    )
