"""What is asked of the main model for one choice, as values. How it gets there: `main_client`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

_SEEDS = 2**63


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """How tokens are chosen. With the seed, the i-th token's noise is determined.

    Attributes:
        seed: 0 <= seed < 2**63.
        top_k: tokens kept; None for all.
        logprobs: alternatives to report with each token; None for no report.
    """

    temperature: float
    top_p: float
    top_k: int | None
    seed: int
    logprobs: int | None
    frequency_penalty: float = 0.0
    presence_penalty: float = 0.0
    ignore_eos: bool = False

    def for_choice(self, index: int) -> Self:
        """The same with the seed of the `index`-th choice of one request."""
        return replace(self, seed=(self.seed + index) % _SEEDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One choice of one request.

    Attributes:
        request_id: unique per choice.
        prompt: token ids, at least one.
        max_tokens: tokens of the answer at most.
        stop_token_ids: tokens that end the answer.
        stops: strings that end it; the gateway looks for them, main never sees them.
        report_routing: main tells where the tokens went.
    """

    request_id: str
    prompt: tuple[int, ...]
    max_tokens: int
    sampling: Sampling
    stop_token_ids: tuple[int, ...] = ()
    stops: tuple[str, ...] = ()
    report_routing: bool = False

    def is_over(self, generated: Sequence[int]) -> str | None:
        """Why an answer of these tokens is complete ("stop", "length"), or None."""
        if generated and generated[-1] in self.stop_token_ids:
            return "stop"
        return "length" if len(generated) >= self.max_tokens else None

    def body(self, generated: Sequence[int]) -> dict[str, Any]:
        """The request to main, to go on after `generated`."""
        sampling = self.sampling
        return {
            "request_id": self.request_id,
            "prompt": list(self.prompt),
            "generated": list(generated),
            "max_tokens": self.max_tokens,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "top_k": sampling.top_k,
            "seed": sampling.seed,
            "logprobs": sampling.logprobs,
            "stop_token_ids": list(self.stop_token_ids),
            "ignore_eos": sampling.ignore_eos,
            "frequency_penalty": sampling.frequency_penalty,
            "presence_penalty": sampling.presence_penalty,
            "report_routing": self.report_routing,
        }
