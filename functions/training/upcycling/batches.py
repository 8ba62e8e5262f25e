"""Samples of similar length as rectangles of tokens, with what each position counts for."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from upcycling.corpus import Sample


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Tokens [samples, width] padded on the right, where a causal model never looks."""

    tokens: Tensor
    real: Tensor  # neither padding nor the shared prefix
    own_answer: Tensor  # said by the dense model itself

    @property
    def targets(self) -> Tensor:
        """What each position but the last is to predict."""
        return self.tokens[:, 1:]


def batches(samples: Sequence[Sample], size: int) -> list[Batch]:
    """All samples in rectangles of so many, the short ones first."""
    ordered = sorted(samples, key=lambda sample: len(sample.tokens))
    return [_batch(ordered[start : start + size]) for start in range(0, len(ordered), size)]


def _batch(samples: Sequence[Sample]) -> Batch:
    width = max(len(sample.tokens) for sample in samples)
    position = torch.arange(width)
    return Batch(
        tokens=torch.tensor([s.tokens + [0] * (width - len(s.tokens)) for s in samples]),
        real=torch.stack([(position >= s.prefix) & (position < len(s.tokens)) for s in samples]),
        own_answer=torch.stack(
            [(position >= s.prompt) & (position < len(s.tokens)) & s.own_answer for s in samples]
        ),
    )
