"""Named API keys. The name may be logged and counted; the key itself is kept as a digest only.

Where keys come from as files is `key_directory`'s.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
from collections.abc import Callable, Mapping

from remoe_functions.gateway.config import ConfigError
from remoe_functions.gateway.errors import InvalidKey

API_KEYS = "REMOE_API_KEYS"
ANONYMOUS = "anonymous"


class KeyRing:
    """The keys that open a model; without any it is open to everybody, unless they are required."""

    def __init__(self, keys: Mapping[str, str], *, required: bool | None = None) -> None:
        """Keep digests of `keys`, name -> key.

        Args:
            keys: may be none.
            required: whether nobody enters without a key; None: where there is one.

        Raises:
            ConfigError: a name or a key is empty.
        """
        if empty := [name for name, key in keys.items() if not name or not key]:
            raise ConfigError(f"{API_KEYS}: names and keys must not be empty, see {empty}")
        self._digests = {name: _digest(key) for name, key in keys.items()}
        self._required = bool(keys) if required is None else required

    @classmethod
    def from_environment(cls) -> KeyRing:
        """The ring of $REMOE_API_KEYS, a JSON object name -> key; unset or empty: open.

        Raises:
            ConfigError: not such an object. The message never repeats its content.
        """
        text = os.environ.get(API_KEYS, "").strip()
        try:
            keys = json.loads(text) if text else {}
        except ValueError:
            keys = None
        if not isinstance(keys, dict) or not all(isinstance(k, str) for k in keys.values()):
            raise ConfigError(f"{API_KEYS} must be a JSON object of name -> key")
        return cls(keys)

    @property
    def is_open(self) -> bool:
        return not self._required

    def find(self, authorization: str | None) -> str | None:
        """The name of the key in an Authorization header; None where it does not open.

        Every key is compared, each in constant time, so that the time taken tells nothing.
        """
        if self.is_open:
            return ANONYMOUS
        digest = _digest(bearer(authorization) or "")
        matches = [n for n, known in self._digests.items() if hmac.compare_digest(known, digest)]
        return matches[0] if matches else None

    def name_of(self, authorization: str | None) -> str:
        """The name of the key in an Authorization header.

        Raises:
            InvalidKey: no bearer key, or one that is not ours.
        """
        name = self.find(authorization)
        if name is None:
            raise invalid_key(authorization)
        return name


KeySource = Callable[[], KeyRing]
"""The keys of a model as they are now."""


def bearer(authorization: str | None) -> str | None:
    """The key in an Authorization header; None where there is none."""
    scheme, _, key = (authorization or "").partition(" ")
    return key.strip() or None if scheme.lower() == "bearer" else None


def invalid_key(authorization: str | None) -> InvalidKey:
    """What is told of a header that opens nothing."""
    if bearer(authorization) is None:
        return InvalidKey("an API key is required: send 'Authorization: Bearer KEY'")
    return InvalidKey("the API key is not valid")


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()
