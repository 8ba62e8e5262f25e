"""What a plan is expected to do: latency, memory and cost. A value; `estimating` makes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from remoe_planner.billing import Billing


@dataclass(frozen=True, slots=True, kw_only=True)
class CostEstimate:
    """Expected cost under one way of billing, in the price list's currency.

    Attributes:
        per_request: everything that one typical request costs, its share of idle time included
            where idle time is billed.
        main_per_request: the main model's part of it, GPU included.
        functions_per_request: the functions' part.
        calls_per_request: fees for calls.
        per_hour: at the workload's request rate.
        idle_per_hour: of an hour without a request, once everything that may sleep does.
        per_million_tokens: per million prompt and output tokens.
    """

    per_request: float
    main_per_request: float
    functions_per_request: float
    calls_per_request: float
    per_hour: float
    idle_per_hour: float
    per_million_tokens: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencyEstimate:
    """Expected latency of a typical request, and of the request at the SLO's percentile.

    Attributes:
        ttft_seconds: time to first token with everything awake, its wait in line included, a mean.
        tpot_seconds: time per output token, a mean.
        ttft_at_percentile_seconds: the same at the percentile, for the longest prompt and with
            cold starts where they are that likely.
        tpot_at_percentile_seconds: time per output token at the percentile.
        percentile: which.
        cold_start_seconds: added to the first token where the main model sleeps.
        cold_start_probability: that a request finds the main model asleep, or still starting.
    """

    ttft_seconds: float
    tpot_seconds: float
    ttft_at_percentile_seconds: float
    tpot_at_percentile_seconds: float
    percentile: float
    cold_start_seconds: float
    cold_start_probability: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadEstimate:
    """How much of what a plan can do is asked of it, and what that does to a request.

    Attributes:
        share: seconds asked of the main model for each second, its steps full, over the most
            replicas there may be. At 1 and more, requests wait without end.
        requests_per_second: that come.
        hold_seconds: how long a request holds a main model whose steps are full.
        most_requests_per_second: that the most replicas keep up with.
        replicas: of the main model that the rate takes.
        most_replicas: that there may be.
        rows: requests decoded together, as a token sees it, a mean.
        rows_at_percentile: the same of a request at the percentile.
        line_seconds: before a request's first chunk, and of others' steps between its chunks, a
            mean; in the time to first token.
        line_at_percentile_seconds: the same at the percentile.
        token_at_percentile_seconds: by which others make each further token later then.
        function_share: what is asked of the busiest function, over what its replicas can do.
    """

    share: float
    requests_per_second: float
    hold_seconds: float
    most_requests_per_second: float
    replicas: int
    most_replicas: int
    rows: float
    rows_at_percentile: float
    line_seconds: float
    line_at_percentile_seconds: float
    token_at_percentile_seconds: float = 0.0
    function_share: float = 0.0

    @property
    def worst_share(self) -> float:
        """What is asked of main models or of the busiest function, whichever is more."""
        return max(self.share, self.function_share)

    @property
    def overloaded(self) -> bool:
        """Whether requests come faster than they can be served."""
        return self.worst_share >= 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What a plan is expected to do under a workload.

    Attributes:
        latency: of requests, at the load that is expected.
        busy: cost where only computing is billed (eqs. 6 to 9).
        awake: cost where every second from start to stop is billed.
        main_memory_bytes: the main model's memory.
        main_gpu_bytes: its GPU memory.
        function_memory_bytes: all functions with one replica each.
        ttft_terms: seconds of the first token by what they are spent on; they add up to its mean.
        tpot_terms: seconds of an output token, likewise.
        profile: the hardware profile's name, and whether it was measured, for people.
        load: how much is asked of the plan; None in one that was made before that was told.
    """

    latency: LatencyEstimate
    busy: CostEstimate
    awake: CostEstimate
    main_memory_bytes: int
    main_gpu_bytes: int
    function_memory_bytes: int
    ttft_terms: Mapping[str, float]
    tpot_terms: Mapping[str, float]
    profile: str
    load: LoadEstimate | None = None

    def under(self, billing: Billing) -> CostEstimate:
        """The cost under one way of billing."""
        return self.busy if billing is Billing.BUSY else self.awake

    def to_mapping(self) -> dict[str, Any]:
        """As JSON-able keys and values."""
        return asdict(self)

    @classmethod
    def from_mapping(cls, values: dict[str, Any]) -> Estimate:
        """Read what `to_mapping` wrote.

        Raises:
            KeyError, TypeError: a field is missing or unknown.
        """
        parts = {
            "latency": LatencyEstimate(**values["latency"]),
            "busy": CostEstimate(**values["busy"]),
            "awake": CostEstimate(**values["awake"]),
            "load": LoadEstimate(**values["load"]) if values.get("load") else None,
        }
        return cls(**(values | parts))
