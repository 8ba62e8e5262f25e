"""Everything one gateway serves with, the names it serves, and who may use which of them.

Built once, by `composition`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from remoe_functions.gateway.completion import House
from remoe_functions.gateway.config import LimitsConfig
from remoe_functions.gateway.errors import GatewayError, InvalidKey, InvalidRequest, ModelNotFound
from remoe_functions.gateway.keys import invalid_key
from remoe_functions.gateway.metrics import Metrics
from remoe_functions.gateway.model_entry import ModelEntry


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """The gateway's parts, for its routes."""

    models: Mapping[str, ModelEntry]
    house: House
    limits: LimitsConfig
    metrics: Metrics

    def usable(self, authorization: str | None) -> tuple[ModelEntry, ...]:
        """The models that an Authorization header opens.

        Raises:
            InvalidKey: none.
        """
        found = tuple(e for e in self.models.values() if e.keys().find(authorization) is not None)
        if not found:
            raise invalid_key(authorization)
        return found

    def enter(self, name: str, authorization: str | None) -> tuple[ModelEntry, str]:
        """A model, and the name of the key that opened it.

        Raises:
            InvalidKey: there is none of this name, or the key is missing or not valid at all.
            ModelNotFound: there is none of this name, or it is not this key's.
        """
        entry = self.models.get(name)
        key = None if entry is None else entry.keys().find(authorization)
        if entry is None or key is None:
            raise self._refusal(name, authorization)
        return entry, key

    def enter_only(self, name: str | None, authorization: str | None) -> tuple[ModelEntry, str]:
        """The same; without a name, the only model that the key opens.

        Raises:
            InvalidRequest: no name, and several models.
        """
        if name is None:
            usable = self.usable(authorization)
            if len(usable) > 1:
                raise InvalidRequest("model: several are served, name one", param="model")
            name = usable[0].name
        return self.enter(name, authorization)

    def _refusal(self, name: str, authorization: str | None) -> GatewayError:
        """The same whether a model of this name is there or not: that is told its users alone."""
        rings = [entry.keys() for entry in self.models.values()]
        usable = tuple(e.name for e in self.usable(authorization))
        keyed = [ring for ring in rings if not ring.is_open]
        if keyed and all(ring.find(authorization) is None for ring in keyed):
            return InvalidKey(f"the model {name[:200]!r} does not exist, or needs a valid API key")
        return ModelNotFound(name[:200], usable)
