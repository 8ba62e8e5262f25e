"""What is asked of the main model while it is measured."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request: so many prompt tokens, so many generated after the first."""

    prompt: tuple[int, ...]
    steps: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """The requests of a session, one after the other.

    Attributes:
        prompt_rows: prompts of these lengths, of which only the first token is wanted.
        short_prompt: tokens before steps with hardly any context.
        long_prompt: tokens before steps with much of it.
        steps: decode steps measured each time.
        repeats: times that everything is asked; the median counts.
    """

    prompt_rows: tuple[int, ...] = (1, 2, 4, 8, 16, 32, 64, 128, 256)
    short_prompt: int = 16
    long_prompt: int = 768
    steps: int = 32
    repeats: int = 4

    def __post_init__(self) -> None:
        for name in ("short_prompt", "long_prompt", "steps", "repeats"):
            if getattr(self, name) < 1:
                raise ValueError(f"script: {name} must be >= 1, got {getattr(self, name)}")
        if not self.prompt_rows or min(self.prompt_rows) < 1:
            raise ValueError(f"script: prompt_rows must be >= 1, got {self.prompt_rows}")

    @classmethod
    def quick(cls) -> Script:
        """Enough for a first plan."""
        return cls(prompt_rows=(1, 4, 16, 64, 256), steps=12, repeats=2, long_prompt=384)

    @property
    def longest(self) -> int:
        """Tokens of the longest request, prompt and answer."""
        prompts = max(*self.prompt_rows, self.short_prompt, self.long_prompt)
        return prompts + self.steps + 1

    def requests(self, vocabulary: int) -> tuple[Asked, ...]:
        """Random tokens, always the same: every session is asked the same."""
        lengths = [(rows, 0) for rows in self.prompt_rows]
        for rows in (self.short_prompt, self.long_prompt):
            lengths += [(rows, 0), (rows, self.steps)]
        random = np.random.default_rng(0)
        # Two requests of one length have one prompt: their difference is the steps.
        prompts = {
            rows: tuple(random.integers(0, vocabulary, rows).tolist())
            for rows in sorted({rows for rows, _ in lengths})
        }
        once = dict.fromkeys(lengths)
        return tuple(Asked(prompt=prompts[rows], steps=steps) for rows, steps in once)
