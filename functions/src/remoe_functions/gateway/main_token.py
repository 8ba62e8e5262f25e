"""What a main model knows this gateway by, from a file that may change while the gateway runs."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from remoe_functions.gateway.config import ConfigError

_logger = logging.getLogger(__name__)

Token = Callable[[], str]
"""The token as it is now; empty for none."""


class TokenFile:
    """Read at each use: it is small, and a Secret may be replaced at any time."""

    def __init__(self, path: Path) -> None:
        """Read it once, to know that it is there.

        Raises:
            ConfigError: it cannot be read, or is empty.
        """
        self._path = path
        self._latest = self._read()

    def __call__(self) -> str:
        """The token; the last one that could be read."""
        try:
            self._latest = self._read()
        except ConfigError as error:
            _logger.warning("the token of before goes on to be used: %s", error)
        return self._latest

    def _read(self) -> str:
        try:
            token = self._path.read_text("ascii").strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "not ASCII"
            raise ConfigError(f"cannot read the token {self._path}: {reason}") from error
        if not token:
            raise ConfigError(f"cannot read the token {self._path}: it is empty")
        return token
