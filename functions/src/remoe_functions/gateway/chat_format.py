"""Answers as /v1/chat/completions spells them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from remoe_functions.gateway.formats import Choice, Heading
from remoe_functions.gateway.transcript import Piece, TokenOdds

_CHUNK = "chat.completion.chunk"


class ChatFormat:
    """An `AnswerFormat`."""

    def __init__(self, heading: Heading) -> None:
        self._heading = heading
        self._opened: set[int] = set()

    def chunks(self, index: int, piece: Piece) -> list[dict[str, Any]]:
        """A choice's first chunk names the role; text and finish come in chunks of their own."""
        chunks = []
        if index not in self._opened:
            self._opened.add(index)
            chunks.append(self._chunk(index, {"role": "assistant", "content": ""}))
        if piece.text or piece.odds:
            chunks.append(self._chunk(index, {"content": piece.text}, odds=piece.odds))
        if piece.finish is not None:
            chunks.append(self._chunk(index, {}, finish=piece.finish))
        return chunks

    def usage_chunk(self, usage: dict[str, Any]) -> dict[str, Any]:
        return self._heading.body(_CHUNK, []) | {"usage": usage}

    def whole(self, choices: Sequence[Choice], usage: dict[str, Any]) -> dict[str, Any]:
        bodies = [
            {
                "index": index,
                "message": {"role": "assistant", "content": "".join(choice.text), "refusal": None},
                "logprobs": self._logprobs(choice.odds),
                "finish_reason": choice.finish,
            }
            for index, choice in enumerate(choices)
        ]
        return self._heading.body("chat.completion", bodies) | {"usage": usage}

    def _chunk(
        self,
        index: int,
        delta: dict[str, Any],
        *,
        odds: Sequence[TokenOdds] = (),
        finish: str | None = None,
    ) -> dict[str, Any]:
        logprobs = self._logprobs(odds) if odds else None
        choice = {"index": index, "delta": delta, "logprobs": logprobs, "finish_reason": finish}
        return self._heading.chunk(_CHUNK, [choice])

    def _logprobs(self, odds: Sequence[TokenOdds]) -> dict[str, Any] | None:
        if self._heading.logprobs is None:
            return None
        return {"content": [self._entry(entry) for entry in odds], "refusal": None}

    def _entry(self, odds: TokenOdds) -> dict[str, Any]:
        wanted = self._heading.logprobs or 0
        return _spell(odds) | {"top_logprobs": [_spell(top) for top in odds.top[:wanted]]}


def _spell(odds: TokenOdds) -> dict[str, Any]:
    return {"token": odds.text, "logprob": odds.logprob, "bytes": list(odds.data)}
