"""Tokens of one choice to what a client sees of them: text and log-probabilities.

The text has no broken characters and no stop strings. How it is spelled is the formats' business.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from remoe_functions.gateway.stop import StopStrings
from remoe_functions.gateway.tokenizer import Tokenizer


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenOdds:
    """A token's log-probability.

    Attributes:
        data: the token's bytes, not always a whole character.
        offset: where its text starts in the answer, in characters, as far as known then.
        top: the likeliest alternatives.
    """

    data: bytes
    logprob: float
    offset: int = 0
    top: tuple[TokenOdds, ...] = ()

    @property
    def text(self) -> str:
        return self.data.decode("utf-8", "replace")


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A piece of an answer; `finish` is set in the last one."""

    text: str = ""
    odds: tuple[TokenOdds, ...] = ()
    finish: str | None = None

    @property
    def is_empty(self) -> bool:
        return not self.text and not self.odds and self.finish is None


class Transcript:
    """Turns the token lines of one choice into pieces.

    Attributes:
        end_reason: why the answer ended, once it has.
    """

    def __init__(
        self, tokenizer: Tokenizer, *, stops: Sequence[str], stop_token_ids: Sequence[int]
    ) -> None:
        self._tokenizer = tokenizer
        self._detokenizer = tokenizer.detokenizer()
        self._stops = StopStrings(stops)
        self._stop_token_ids = frozenset(stop_token_ids)
        self._length = 0
        self.end_reason = "stop"

    @property
    def stopped(self) -> bool:
        """A stop string was found: the answer is over."""
        return self._stops.matched is not None

    def push(self, line: Mapping[str, Any]) -> Piece:
        """What a token line adds."""
        token, odds = int(line["token"]), self._odds(line)
        # A stop token ends the answer and is no part of its text, special or not.
        text = "" if token in self._stop_token_ids else self._detokenizer.push(token)
        return self._piece(self._stops.push(text), odds)

    def end(self, finish: str) -> Piece:
        """The last piece: what was held back, and why the answer ended."""
        rest = self._stops.push(self._detokenizer.flush())
        rest += self._stops.flush()
        self.end_reason = "stop" if self.stopped else finish
        return Piece(text=rest, finish=self.end_reason)

    def _piece(self, text: str, odds: tuple[TokenOdds, ...]) -> Piece:
        self._length += len(text)
        return Piece(text=text, odds=odds)

    def _odds(self, line: Mapping[str, Any]) -> tuple[TokenOdds, ...]:
        if line.get("logprob") is None:
            return ()
        bytes_of = self._tokenizer.bytes_of
        top = tuple(
            TokenOdds(data=bytes_of(int(token)), logprob=float(logprob))
            for token, logprob in line.get("top") or ()
        )
        own = bytes_of(int(line["token"]))
        return (TokenOdds(data=own, logprob=float(line["logprob"]), offset=self._length, top=top),)
