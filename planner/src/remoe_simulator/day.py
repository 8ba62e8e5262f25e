"""What came of a day: every request's latency, and the bill of every part."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from remoe_planner.bill import Bill
from remoe_planner.demand.slo import Slo


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """One request, as its client and its payer saw it.

    Attributes:
        name: of the request.
        arrival_seconds: when it came.
        first_token_seconds: when its first token was there.
        finished_seconds: when its last one was.
        prompt_tokens: of its prompt.
        output_tokens: of its answer, the first included.
        found_main_asleep: whether it waited for a main model to start.
        borrowed_experts: experts of sleeping functions that the main model computed for it.
        busy: the bill of its own share of passes and functions' work (eqs. 6 to 9).
    """

    name: str
    arrival_seconds: float
    first_token_seconds: float
    finished_seconds: float
    prompt_tokens: int
    output_tokens: int
    found_main_asleep: bool
    borrowed_experts: int
    busy: Bill

    @property
    def ttft_seconds(self) -> float:
        return self.first_token_seconds - self.arrival_seconds

    @property
    def tpot_seconds(self) -> float:
        """0 for an answer of one token."""
        steps = self.output_tokens - 1
        return (self.finished_seconds - self.first_token_seconds) / steps if steps else 0.0

    def keeps(self, slo: Slo) -> bool:
        """Whether it was inside both bounds."""
        ttft, tpot = slo.ttft_seconds, slo.tpot_seconds
        return (ttft is None or self.ttft_seconds <= ttft) and (
            tpot is None or self.tpot_seconds <= tpot
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How much of the service was there from one moment on.

    Attributes:
        at_seconds: since when.
        main_awake: whether the main model was started or starting.
        functions_awake: replicas started or starting.
        memory_bytes: of all of them, GPU memory included.
    """

    at_seconds: float
    main_awake: bool
    functions_awake: int
    memory_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """A stretch of time, simulated.

    Attributes:
        served: every request, in order of arrival.
        seconds: how long it lasted.
        busy: only work is paid for; the sum of the requests' own bills.
        awake: every second from start to stop is paid for: cold starts, keep-alive, calls' fees.
        timeline: every change of what is there, in order of time.
        main_starts: cold starts of the main model.
        function_starts: of functions.
        early_starts: those of functions that were begun by a forecast.
        early_used: early starts whose function was then called before it slept again.
        starting: the part of `awake` that is cold starts: memory held before it is of any use.
    """

    served: tuple[Served, ...]
    seconds: float
    busy: Bill
    awake: Bill
    timeline: tuple[Standing, ...]
    main_starts: int
    function_starts: int
    early_starts: int
    early_used: int
    starting: Bill = field(default_factory=Bill)

    @property
    def tokens(self) -> int:
        """Prompt and output tokens of all requests."""
        return sum(one.prompt_tokens + one.output_tokens for one in self.served)

    def ttft_seconds(self, share: float) -> float:
        """The quantile of times to first token; NaN without requests."""
        return _quantile([one.ttft_seconds for one in self.served], share)

    def tpot_seconds(self, share: float) -> float:
        """The quantile of times per output token, of answers that have more than one."""
        return _quantile([one.tpot_seconds for one in self.served if one.output_tokens > 1], share)

    def share_inside(self, slo: Slo) -> float:
        """Share of the requests inside the SLO; NaN without requests."""
        kept = [one.keeps(slo) for one in self.served]
        return float(np.mean(kept)) if kept else float("nan")

    def per_million_tokens(self, bill: Bill) -> float:
        """A bill by tokens; NaN without tokens."""
        return 1e6 * bill.cost / self.tokens if self.tokens else float("nan")


def _quantile(values: list[float], share: float) -> float:
    return float(np.quantile(values, share)) if values else float("nan")
