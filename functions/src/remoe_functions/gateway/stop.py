"""Stop strings over pieces of text: found across their borders, and never shown to the client."""

from __future__ import annotations

from collections.abc import Sequence


class StopStrings:
    """Cuts a growing text before the first stop string that completes.

    The outcome does not depend on how the text is cut into pieces: among the stop strings the
    one that ends first wins, and of two that end together the one that starts first.
    """

    def __init__(self, stops: Sequence[str]) -> None:
        """Look for `stops`; none of them may be empty.

        Raises:
            ValueError: one is empty.
        """
        if not all(stops):
            raise ValueError("stop strings must not be empty")
        self._stops = tuple(stops)
        self._held = ""
        self.matched: str | None = None

    def push(self, piece: str) -> str:
        """The text that is safe to show; text that may be the start of a stop is held back."""
        if self.matched is not None:
            return ""
        text = self._held + piece
        found = min((hit for stop in self._stops if (hit := _find(text, stop))), default=None)
        if found is not None:
            end, start = found
            self.matched, self._held = text[start:end], ""
            return text[:start]
        held = max((_overlap(text, stop) for stop in self._stops), default=0)
        self._held = text[len(text) - held :]
        return text[: len(text) - held]

    def flush(self) -> str:
        """What is held back still: the text ended, so it is no stop string."""
        held, self._held = self._held, ""
        return held


def _find(text: str, stop: str) -> tuple[int, int] | None:
    start = text.find(stop)
    return None if start < 0 else (start + len(stop), start)


def _overlap(text: str, stop: str) -> int:
    """The longest end of `text` that is a proper start of `stop`."""
    longest = min(len(text), len(stop) - 1)
    return next((n for n in range(longest, 0, -1) if text.endswith(stop[:n])), 0)
