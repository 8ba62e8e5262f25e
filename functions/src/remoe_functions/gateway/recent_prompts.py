"""The latest prompts with their routing, in memory alone: what a fit is made from.

Where each token went tells what the token was to whoever has the model, so this is a prompt's text
in another spelling. It is bounded, and it is never written anywhere.
"""

from __future__ import annotations

from collections import OrderedDict

from remoe_planner.forecasting.routed_prompt import RoutedPrompt


class RecentPrompts:
    """The newest distinct prompts, within a bound of bytes and of number."""

    def __init__(self, *, max_bytes: int, max_prompts: int) -> None:
        self._max_bytes = max_bytes
        self._max_prompts = max_prompts
        self._prompts: OrderedDict[int, RoutedPrompt] = OrderedDict()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._prompts)

    @property
    def nbytes(self) -> int:
        return self._bytes

    def add(self, fingerprint: int, prompt: RoutedPrompt) -> bool:
        """Take a prompt; False where it is there already, and then is the newest."""
        if fingerprint in self._prompts:
            self._prompts.move_to_end(fingerprint)
            return False
        self._prompts[fingerprint] = prompt
        self._bytes += _bytes_of(prompt)
        while len(self._prompts) > self._max_prompts or self._bytes > self._max_bytes:
            _, dropped = self._prompts.popitem(last=False)
            self._bytes -= _bytes_of(dropped)
        return True

    def newest(self) -> list[RoutedPrompt]:
        """All of them, oldest first."""
        return list(self._prompts.values())


def _bytes_of(prompt: RoutedPrompt) -> int:
    return int(prompt.experts.nbytes + prompt.query.tokens.nbytes)
