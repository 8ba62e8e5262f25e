"""What was recorded of a model's use of late, as sums and samples: what plans are made from.

Numbers only: no prompt, no vector, nothing that could be told of a single user.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from remoe_planner.activation_history import ActivationHistory

# Rows of the history that use "of late" is; a row is a prompt, however often it came.
LATEST = 1_000
SAMPLES = 64


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RecordedUsage:
    """A model's use of late.

    Attributes:
        requests: that were recorded.
        prefill: [layers, experts], assignments of their prompts' tokens.
        decode: the same of their answers' tokens.
        samples: [n, layers, experts], assignments of the newest of them, prompt and answer.
        sample_tokens: [n], tokens of each sample.
        prompt_tokens_mean: of a request; 0 where there are none, as all below.
        output_tokens_mean: of a request.
        max_prompt_tokens: of the longest prompt.
        max_output_tokens: of the longest answer.
    """

    requests: int
    prefill: NDArray[np.uint64]
    decode: NDArray[np.uint64]
    samples: NDArray[np.uint64]
    sample_tokens: NDArray[np.uint64]
    prompt_tokens_mean: float = 0.0
    output_tokens_mean: float = 0.0
    max_prompt_tokens: int = 0
    max_output_tokens: int = 0

    @classmethod
    def of(cls, history: ActivationHistory) -> Self:
        """The latest of a history, which may be empty."""
        late = slice(-LATEST, None)
        prompts, answers = history.prompt_tokens[late], history.decode_tokens[late]
        times = np.ones(len(prompts)) if history.times is None else history.times[late]
        prefill, decode = history.prefill[late], history.decode[late]
        requests, new = int(times.sum()), slice(-SAMPLES, None)
        return cls(
            requests=requests,
            prefill=prefill.sum(axis=0, dtype=np.uint64),
            decode=decode.sum(axis=0, dtype=np.uint64),
            samples=_once(prefill[new].astype(np.uint64) + decode[new], times[new]),
            sample_tokens=_once(prompts[new].astype(np.uint64) + answers[new], times[new]),
            prompt_tokens_mean=float(prompts.sum(dtype=np.uint64)) / max(requests, 1),
            output_tokens_mean=float(answers.sum(dtype=np.uint64)) / max(requests, 1),
            max_prompt_tokens=int(_once(prompts, times).max(initial=0)),
            max_output_tokens=int(_once(answers, times).max(initial=0)),
        )

    @classmethod
    def nothing(cls, shape: tuple[int, int]) -> Self:
        """No use at all, of a model of so many (layers, experts)."""
        return cls.of(ActivationHistory.empty(shape, 1))

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON-able values."""
        return {
            "requests": self.requests,
            "prefill": self.prefill.tolist(),
            "decode": self.decode.tolist(),
            "samples": self.samples.tolist(),
            "sample_tokens": self.sample_tokens.tolist(),
            "prompt_tokens_mean": self.prompt_tokens_mean,
            "output_tokens_mean": self.output_tokens_mean,
            "max_prompt_tokens": self.max_prompt_tokens,
            "max_output_tokens": self.max_output_tokens,
        }


def _once(sums: NDArray[Any], times: NDArray[Any]) -> NDArray[np.uint64]:
    """What one request of a prompt had, where all of its times were summed."""
    share = times.reshape(-1, *[1] * (sums.ndim - 1))
    return np.asarray(np.rint(sums / share), np.uint64)
