"""Everything one gateway serves with, and the names it serves. Built once, by `composition`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from remoe_functions.gateway.completion import House
from remoe_functions.gateway.config import LimitsConfig
from remoe_functions.gateway.errors import InvalidRequest, ModelNotFound
from remoe_functions.gateway.keys import KeyRing
from remoe_functions.gateway.metrics import Metrics
from remoe_functions.gateway.model_service import ModelService
from remoe_functions.gateway.parts import PartsView


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """The gateway's parts, for its routes."""

    models: Mapping[str, ModelService]
    house: House
    limits: LimitsConfig
    keys: KeyRing
    parts: PartsView
    metrics: Metrics

    def model(self, name: str) -> ModelService:
        """The service of a model.

        Raises:
            ModelNotFound: there is none of this name.
        """
        if name not in self.models:
            raise ModelNotFound(name[:200], tuple(self.models))
        return self.models[name]

    def model_or_only(self, name: str | None) -> ModelService:
        """The same; without a name, the only model there is.

        Raises:
            InvalidRequest: no name, and several models.
        """
        if name is not None:
            return self.model(name)
        if len(self.models) > 1:
            raise InvalidRequest("model: several are served, name one", param="model")
        return next(iter(self.models.values()))
