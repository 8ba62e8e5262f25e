"""How a hub is reached, and what its users are advised to do where that fails."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

DEFAULT_ENDPOINT = "https://huggingface.co"


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """What messages say that helps; not the same in a terminal and on a cluster.

    Attributes:
        token: how to hand over a token.
        space: how to get more room.
    """

    token: str = "set HF_TOKEN"  # noqa: S105 - words, not a token
    space: str = "set HF_HOME to a larger disk"


@dataclass(frozen=True, slots=True, kw_only=True)
class HubAccess:
    """How the hub is reached; by default as the environment says.

    Attributes:
        endpoint: the hub's address ($HF_ENDPOINT).
        token: what opens gated repositories ($HF_TOKEN); never printed.
        cache: where files are kept; huggingface_hub's own place by default ($HF_HOME).
        advice: what to do about a missing token or a full disk.
    """

    endpoint: str | None = None
    token: str | None = field(default=None, repr=False)
    cache: Path | None = None
    advice: Advice = Advice()

    @classmethod
    def from_environment(cls) -> HubAccess:
        return cls(
            endpoint=os.environ.get("HF_ENDPOINT") or None,
            token=os.environ.get("HF_TOKEN") or None,
        )

    @property
    def address(self) -> str:
        """The hub's address, for messages."""
        return self.endpoint or DEFAULT_ENDPOINT
