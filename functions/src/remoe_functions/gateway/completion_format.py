"""Answers as /v1/completions spells them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from remoe_functions.gateway.formats import Choice, Heading
from remoe_functions.gateway.transcript import Piece, TokenOdds

_KIND = "text_completion"


class CompletionFormat:
    """An `AnswerFormat`."""

    def __init__(self, heading: Heading) -> None:
        self._heading = heading

    def chunks(self, index: int, piece: Piece) -> list[dict[str, Any]]:
        logprobs = self._logprobs(piece.odds) if piece.odds else None
        return [self._heading.chunk(_KIND, [_choice(index, piece.text, logprobs, piece.finish)])]

    def usage_chunk(self, usage: dict[str, Any]) -> dict[str, Any]:
        return self._heading.body(_KIND, []) | {"usage": usage}

    def whole(self, choices: Sequence[Choice], usage: dict[str, Any]) -> dict[str, Any]:
        bodies = [
            _choice(index, "".join(choice.text), self._logprobs(choice.odds), choice.finish)
            for index, choice in enumerate(choices)
        ]
        return self._heading.body(_KIND, bodies) | {"usage": usage}

    def _logprobs(self, odds: Sequence[TokenOdds]) -> dict[str, Any] | None:
        if self._heading.logprobs is None:
            return None
        return {
            "tokens": [_token(entry) for entry in odds],
            "token_logprobs": [entry.logprob for entry in odds],
            "top_logprobs": [self._top(entry) for entry in odds],
            "text_offset": [entry.offset for entry in odds],
        }

    def _top(self, odds: TokenOdds) -> dict[str, float]:
        """The alternatives and the token itself, as OpenAI has it."""
        top = odds.top[: self._heading.logprobs or 0]
        return {_token(entry): entry.logprob for entry in (*top, odds)}


def _choice(
    index: int, text: str, logprobs: dict[str, Any] | None, finish: str | None
) -> dict[str, Any]:
    return {"index": index, "text": text, "logprobs": logprobs, "finish_reason": finish}


def _token(odds: TokenOdds) -> str:
    """The token's text; where it is no whole character, its bytes, as OpenAI writes them."""
    try:
        return odds.data.decode()
    except UnicodeDecodeError:
        return "bytes:" + "".join(f"\\x{byte:02x}" for byte in odds.data)
