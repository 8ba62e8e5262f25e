"""OpenAI's spelling of answers: the seam, and what the two endpoints share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from remoe_functions.gateway.transcript import Piece, TokenOdds


@dataclass(slots=True, kw_only=True)
class Choice:
    """One choice, collected piece by piece."""

    text: list[str] = field(default_factory=list)
    odds: list[TokenOdds] = field(default_factory=list)
    finish: str | None = None

    def add(self, piece: Piece) -> None:
        self.text.append(piece.text)
        self.odds.extend(piece.odds)
        self.finish = piece.finish or self.finish


@dataclass(frozen=True, slots=True, kw_only=True)
class Heading:
    """What every body of one answer carries.

    Attributes:
        id: the answer's id.
        created: seconds since the epoch.
        model: the model's name.
        logprobs: alternatives wanted with each token; None where no report is.
        include_usage: chunks carry a `usage`, null but for the last.
    """

    id: str
    created: int
    model: str
    logprobs: int | None
    include_usage: bool = False

    def body(self, kind: str, choices: list[dict[str, Any]]) -> dict[str, Any]:
        return {
            "id": self.id,
            "object": kind,
            "created": self.created,
            "model": self.model,
            "choices": choices,
        }

    def chunk(self, kind: str, choices: list[dict[str, Any]]) -> dict[str, Any]:
        return self.body(kind, choices) | ({"usage": None} if self.include_usage else {})


class AnswerFormat(Protocol):
    """How one answer is spelled, whole or in chunks."""

    def chunks(self, index: int, piece: Piece) -> list[dict[str, Any]]:
        """The stream's chunks for a piece of the choice of that index."""

    def usage_chunk(self, usage: dict[str, Any]) -> dict[str, Any]:
        """The chunk that closes a stream whose client asked for usage."""

    def whole(self, choices: Sequence[Choice], usage: dict[str, Any]) -> dict[str, Any]:
        """The body of an answer that is not streamed."""
