"""The requests a service expects: how long they are and how often they come."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """A stream of requests.

    Attributes:
        prompt_tokens: of a typical request (N_in).
        output_tokens: generated after the first token, of a typical request (N_out).
        max_prompt_tokens: of the longest request that the SLO holds for.
        max_output_tokens: the same of its answer.
        requests_per_second: mean rate; arrivals are taken as independent of each other.
        concurrency: requests decoded together in one step, a mean.
    """

    prompt_tokens: int = 128
    output_tokens: int = 200
    max_prompt_tokens: int = 512
    max_output_tokens: int = 512
    requests_per_second: float = 1 / 60
    concurrency: float = 1.0

    def __post_init__(self) -> None:
        for name in ("prompt_tokens", "output_tokens"):
            typical, longest = getattr(self, name), getattr(self, f"max_{name}")
            if not typical >= 1:
                raise ValueError(f"workload: {name} must be >= 1, got {typical}")
            if not longest >= typical:
                raise ValueError(
                    f"workload: max_{name} must be >= {name} ({typical}), got {longest}"
                )
        if not (math.isfinite(self.requests_per_second) and self.requests_per_second >= 0):
            raise ValueError(
                "workload: requests_per_second must be finite and >= 0, "
                f"got {self.requests_per_second}"
            )
        if not (math.isfinite(self.concurrency) and self.concurrency >= 1):
            raise ValueError(f"workload: concurrency must be >= 1, got {self.concurrency}")
