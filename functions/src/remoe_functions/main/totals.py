"""Running totals over retired requests, for the metrics."""

from __future__ import annotations

from collections import Counter

from remoe_functions.main.sequence import Sequence

PLACES = ("local", "remote", "fallback")


class Totals:
    """Written by the engine's thread, read by anybody.

    Attributes:
        prompt: prompt tokens.
        generated: generated tokens.
        finished: requests by reason; "abort" for those whose caller left.
        places: token-expert pairs by place.
    """

    def __init__(self) -> None:
        self.prompt = 0
        self.generated = 0
        self.finished: Counter[str] = Counter()
        self.places: Counter[str] = Counter()

    def add(self, sequence: Sequence) -> None:
        self.prompt += len(sequence.request.prompt)
        self.generated += sequence.generated - len(sequence.request.generated)
        self.finished[sequence.finish or "abort"] += 1
        sums = sequence.account.layers.sum(axis=0).tolist()
        self.places.update(dict(zip(PLACES, sums, strict=True)))
