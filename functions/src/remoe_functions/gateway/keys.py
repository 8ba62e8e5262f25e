"""Named API keys. The name may be logged and counted; the key itself is kept as a digest only."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
from collections.abc import Mapping

from remoe_functions.gateway.config import ConfigError
from remoe_functions.gateway.errors import InvalidKey

API_KEYS = "REMOE_API_KEYS"
ANONYMOUS = "anonymous"


class KeyRing:
    """The keys that open this gateway; without any it is open to everybody."""

    def __init__(self, keys: Mapping[str, str]) -> None:
        """Keep digests of `keys`, name -> key.

        Raises:
            ConfigError: a name or a key is empty.
        """
        if empty := [name for name, key in keys.items() if not name or not key]:
            raise ConfigError(f"{API_KEYS}: names and keys must not be empty, see {empty}")
        self._digests = {name: _digest(key) for name, key in keys.items()}

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
        return not self._digests

    def name_of(self, authorization: str | None) -> str:
        """The name of the key in an Authorization header.

        Every key is compared, each in constant time, so that the time taken tells nothing.

        Raises:
            InvalidKey: no bearer key, or one that is not ours.
        """
        if self.is_open:
            return ANONYMOUS
        scheme, _, key = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not key.strip():
            raise InvalidKey("an API key is required: send 'Authorization: Bearer KEY'")
        digest = _digest(key.strip())
        matches = [n for n, known in self._digests.items() if hmac.compare_digest(known, digest)]
        if not matches:
            raise InvalidKey("the API key is not valid")
        return matches[0]


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()
