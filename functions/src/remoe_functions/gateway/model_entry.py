"""One configured model: served, or unavailable for a reason, and then tried again.

A model whose files are broken is told so to those who ask for it, and costs the others nothing.
What it is opened from is `model_opening`'s.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Callable, Mapping

from remoe_functions.gateway.config import ConfigError
from remoe_functions.gateway.errors import NotReady
from remoe_functions.gateway.keys import KeySource
from remoe_functions.gateway.model_service import ModelService
from remoe_functions.gateway.parts import PartsView
from remoe_functions.runtime.backoff import Backoff
from remoe_functions.runtime.state import PartStatus, Snapshot

_logger = logging.getLogger(__name__)
# A model that takes longer to open holds up the others no longer.
_LONGEST_OPENING_SECONDS = 60.0
RETRIES = Backoff(first_seconds=1.0, factor=2.0, max_seconds=30.0)


class ModelEntry:
    """Belongs to one event loop, but for what opens the model: that runs in a thread."""

    def __init__(
        self,
        name: str,
        *,
        main_part: str,
        opens: Callable[[], ModelService],
        parts: PartsView,
        keys: KeySource,
        retries: Backoff = RETRIES,
    ) -> None:
        """A model that is not opened yet.

        Args:
            name: what clients call it.
            main_part: the runtime's name of its main model.
            opens: reads its files; raises ConfigError, or anything at all.
            parts: its parts in its runtime.
            keys: who may use it.
            retries: how long to wait from one attempt to the next.
        """
        self.name = name
        self.main_part = main_part
        self.parts = parts
        self.keys = keys
        self._opens = opens
        self._retries = retries
        self._failures = 0
        self._began = time.monotonic()
        self._served: ModelService | None = None
        self._trouble: str | None = None

    @property
    def served(self) -> ModelService | None:
        """The model's service; None while it is unavailable."""
        return self._served

    @property
    def trouble(self) -> str | None:
        """Why it is unavailable; None where it is served, or was not tried yet."""
        return self._trouble

    @property
    def is_settled(self) -> bool:
        """Whether it was opened or found to be broken, or takes too long to be waited for."""
        tried = self._served is not None or self._failures > 0
        return tried or time.monotonic() - self._began > _LONGEST_OPENING_SECONDS

    @property
    def own_parts(self) -> Mapping[str, PartStatus]:
        """Its parts as last seen, and not those of others in the same runtime."""
        latest = self.parts.latest
        return {} if latest is None else self.own_of(latest)

    def own_of(self, snapshot: Snapshot) -> Mapping[str, PartStatus]:
        """Its parts in a snapshot; of a model that is not served only main is known."""
        functions = () if self._served is None else self._served.model.plan.functions
        names = (self.main_part, *(function.name for function in functions))
        return {name: snapshot.parts[name] for name in names if name in snapshot.parts}

    @property
    def service(self) -> ModelService:
        """The model's service.

        Raises:
            NotReady: it is unavailable; says why.
        """
        if self._served is not None:
            return self._served
        reason = self._trouble or "its files are being read"
        raise NotReady(
            f"the model {self.name!r} is unavailable: {reason}",
            code="model_unavailable",
            retry_after_seconds=math.ceil(self._retries.delay_seconds(max(self._failures, 1))),
        )

    def open(self) -> None:
        """Read its files now.

        Raises:
            ConfigError: they are missing or broken; the model is unavailable until tried again.
        """
        try:
            self._served, self._trouble = self._opens(), None
        except ConfigError as error:
            self._failed(str(error))
            raise
        except Exception as error:
            _logger.exception("the model %s cannot be opened", self.name)
            self._failed(f"{type(error).__name__}: {error}")
            raise ConfigError(f"the model {self.name!r} cannot be opened: {error}") from error

    async def run(self) -> None:
        """Open it, for as often as that takes; then keep its forecasts until cancelled."""
        while self._served is None:
            await asyncio.sleep(self._retries.delay_seconds(self._failures))
            try:
                await asyncio.to_thread(self.open)
            except ConfigError:
                continue
            _logger.info("the model %s is served", self.name)
        forecasting = self._served.forecasting
        if forecasting is not None:
            await forecasting.run()

    def _failed(self, trouble: str) -> None:
        if trouble != self._trouble:
            _logger.error("the model %s is unavailable: %s", self.name, trouble)
        self._failures += 1
        self._trouble = trouble
