"""How a fetch ended, as the message that Kubernetes keeps of an ended container."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from remoe_functions.fetching.errors import FetchError
from remoe_planner.architecture import Architecture

LIMIT_BYTES = 4096
"""What the kubelet keeps of a termination message; a longer one would be cut, and be no JSON."""

_LONGEST_TEXT = 1500


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """The model is there, whole.

    Attributes:
        architecture: its shape.
        revision: the commit that was fetched; of models without commits, the weights' own.
        size_bytes: of its files.
    """

    architecture: Architecture
    revision: str
    size_bytes: int

    def message(self) -> str:
        """One line of JSON.

        Raises:
            ValueError: it would be longer than is kept.
        """
        body = {
            "architecture": asdict(self.architecture),
            "revision": self.revision,
            "bytes": self.size_bytes,
        }
        text = json.dumps(body, separators=(",", ":"))
        if len(text) > LIMIT_BYTES:
            raise ValueError(f"a message must be at most {LIMIT_BYTES} bytes, got {len(text)}")
        return text


def refusal(error: FetchError) -> str:
    """The message of a fetch that failed: one line of JSON, its sentence shortened if need be."""
    words = " ".join(str(error).split())
    while True:
        body = {"error": {"reason": str(error.reason), "message": words[:_LONGEST_TEXT]}}
        text = json.dumps(body, separators=(",", ":"))
        if len(text) <= LIMIT_BYTES:
            return text
        words = words[: min(len(words), _LONGEST_TEXT) // 2]


def leave(message: str, place: Path | None) -> None:
    """Put the message where Kubernetes looks for it; without such a place it is only printed."""
    if place is not None:
        place.write_text(message, "utf-8")
