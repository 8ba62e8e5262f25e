"""The identity of an expert. Nothing about where it runs or what it weighs belongs here."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_FORM = re.compile(r"(\d+)/(\d+)")


@dataclass(frozen=True, slots=True, order=True)
class ExpertId:
    """One routed expert: `layer` is the decoder layer's index in the model, dense layers counted.

    Printed and parsed as `layer/index`, for example `3/17`.
    """

    layer: int
    index: int
    key: int = field(init=False, repr=False, compare=False)
    """One number in the same order: thousands of experts are told apart many times faster by it."""

    def __post_init__(self) -> None:
        if self.layer < 0 or self.index < 0:
            raise ValueError(f"expert must have layer >= 0 and index >= 0, got {self}")
        object.__setattr__(self, "key", self.layer << 32 | self.index)

    def __str__(self) -> str:
        return f"{self.layer}/{self.index}"

    @classmethod
    def parse(cls, text: str) -> ExpertId:
        """Read `layer/index`.

        Raises:
            ValueError: the text is of another form.
        """
        match = _FORM.fullmatch(text)
        if match is None:
            raise ValueError(f"expert must look like 'layer/index', got {text!r}")
        return cls(int(match[1]), int(match[2]))
