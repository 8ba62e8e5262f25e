"""Tokens to text, one at a time, and never half a character.

`tokenizers.DecodeStream` does nearly this, but cannot give out what it still holds when an
answer ends inside a character, so the joined pieces would not equal the whole.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

Decode = Callable[[Sequence[int]], str]

_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
# A character is four bytes at most, so more tokens than this held back are no character to come
# but garbage; it is looked at now and then only, which keeps the work linear in practice.
_PATIENCE_TOKENS = 16


class Detokenizer:
    """Text of a growing token sequence. The pieces joined equal the decoding of the whole."""

    def __init__(self, decode: Decode) -> None:
        """Use `decode` (ids to text, special tokens left out) on short windows of the tokens."""
        self._decode = decode
        self._tokens: list[int] = []
        self._window = 0
        self._told = 0

    def push(self, token: int) -> str:
        """The text that became certain with this token; empty while a character is incomplete."""
        self._tokens.append(token)
        waiting = len(self._tokens) - self._told
        if waiting > _PATIENCE_TOKENS and waiting % _PATIENCE_TOKENS:
            return ""
        text = self._decode(self._tokens[self._window :])
        return "" if text.endswith(_REPLACEMENT) else self._advance(text)

    def flush(self) -> str:
        """What is held back still; broken characters come out as replacement characters."""
        return self._advance(self._decode(self._tokens[self._window :]))

    def _advance(self, text: str) -> str:
        # Decoders treat a sequence's first token specially (leading spaces), so each window
        # starts with tokens already told, whose text is cut off again.
        piece = text[len(self._decode(self._tokens[self._window : self._told])) :]
        if piece:
            self._window, self._told = self._told, len(self._tokens)
        return piece
