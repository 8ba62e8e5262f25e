"""The latency that a service promises."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Slo:
    """Bounds on latency at a percentile of the requests.

    Attributes:
        ttft_seconds: time to first token, cold starts included; None promises nothing.
        tpot_seconds: time per output token after the first; None promises nothing.
        percentile: share of the requests that must stay inside, 0 to 1.
    """

    ttft_seconds: float | None = None
    tpot_seconds: float | None = None
    percentile: float = 0.95

    def __post_init__(self) -> None:
        for name in ("ttft_seconds", "tpot_seconds"):
            value = getattr(self, name)
            if value is not None and not (math.isfinite(value) and value > 0):
                raise ValueError(f"slo: {name} must be finite and > 0, got {value}")
        if not 0 < self.percentile < 1:
            raise ValueError(f"slo: percentile must be between 0 and 1, got {self.percentile}")
