"""What a plan costs, busy and awake. How long its parts are either is told, not worked out here."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from remoe_planner.demand.workload import Workload
from remoe_planner.estimate import CostEstimate
from remoe_planner.estimating.awake import asleep_share, awake_per_request, held_seconds
from remoe_planner.estimating.placed import Floats, Placed
from remoe_planner.hardware.profile import HardwareProfile
from remoe_planner.memory import GIB
from remoe_planner.offerings import Offerings
from remoe_planner.prices import Prices

_HOUR_SECONDS = 3600.0
_SELDOM = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Use:
    """What a typical request takes of the parts.

    Attributes:
        main_seconds: the main model's time that is its own (steps are shared).
        span_seconds: from its first pass to its last token.
        busy_seconds: [functions], of work.
        calls: [functions].
        touched: [functions], probability that it needs the function at all.
    """

    main_seconds: float
    span_seconds: float
    busy_seconds: Floats
    calls: Floats
    touched: Floats


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sleep:
    """Who sleeps how often.

    Attributes:
        main_asleep: share of the time, and of the requests that find it so.
        main_waking: share of the requests that find it asleep or still starting.
        main_seconds: awake seconds for each request; 0 where it never sleeps.
        asleep: [functions], as of main; 0 for those that keep a replica.
        seconds: [functions], awake seconds of a replica beyond the kept ones, for each request.
    """

    main_asleep: float
    main_waking: float
    main_seconds: float
    asleep: Floats
    seconds: Floats


def sleep_of(
    placed: Placed,
    profile: HardwareProfile,
    workload: Workload,
    offerings: Offerings,
    use: Use,
    replicas: int = 1,
) -> Sleep:
    """How often the parts sleep under a workload, main models being so many beside each other."""
    rate = workload.requests_per_second
    starts = np.array([profile.function_start.of(w) for w in placed.weight_bytes], np.float64)
    # What a request asks of a function if it asks for it at all. No record is long enough to say
    # that a function with any work is never needed.
    touched = np.maximum(use.touched, _SELDOM)
    held = held_seconds(use.calls / touched, use.span_seconds, placed.keep_alive_seconds)
    # A call that nobody keeps alive still lasts as long as its work.
    held = np.maximum(held, use.busy_seconds / touched)
    needed = rate * use.touched
    on_demand = placed.min_replicas < 1
    asleep, waking, seconds = 0.0, 0.0, 0.0
    if offerings.main_keep_alive_seconds is not None:
        hold = use.span_seconds + offerings.main_keep_alive_seconds
        start = profile.main_start.of(placed.local_weight_bytes)
        each = rate / replicas
        asleep = float(asleep_share(each, hold, start))
        waking = asleep * (1 + each * start)
        seconds = float(awake_per_request(each, hold, start))
    return Sleep(
        main_asleep=asleep,
        main_waking=waking,
        main_seconds=seconds,
        asleep=np.where(on_demand, asleep_share(needed, held, starts), 0.0),
        seconds=np.where(on_demand, touched * awake_per_request(needed, held, starts), 0.0),
    )


def busy_cost(placed: Placed, prices: Prices, workload: Workload, use: Use) -> CostEstimate:
    """Only computing is paid for (eqs. 6 to 9), as the gateway bills a request.

    The paper bills a function for a call's way, too; what it is billed here is its own time.
    """
    main = use.main_seconds * _main_per_second(placed, prices)
    functions = float((use.busy_seconds * placed.memory_bytes).sum()) / GIB
    calls = float(use.calls.sum()) * prices.call
    return _cost(workload, main=main, functions=functions * prices.function_gib_second, calls=calls)


def awake_cost(
    placed: Placed,
    prices: Prices,
    workload: Workload,
    offerings: Offerings,
    use: Use,
    sleep: Sleep,
    replicas: int = 1,
) -> CostEstimate:
    """Every second from start to stop is paid for: keep-alive, cold starts and kept replicas.

    Of several main models that are kept one stays through an hour without requests. Where no
    request ever comes, one request's cost is that of waking what sleeps.
    """
    main_price = _main_per_second(placed, prices)
    prices_of = placed.memory_bytes / GIB * prices.function_gib_second
    kept = float((placed.min_replicas * prices_of).sum())
    functions = float((sleep.seconds * prices_of).sum())
    rate = workload.requests_per_second
    share = 1 / rate if rate else 0.0
    always = offerings.main_keep_alive_seconds is None
    return _cost(
        workload,
        main=main_price * (replicas * share if always else sleep.main_seconds),
        functions=functions + kept * share,
        calls=float(use.calls.sum()) * prices.call,
        kept_per_second=kept + (main_price if always else 0.0),
    )


def _cost(
    workload: Workload,
    *,
    main: float,
    functions: float,
    calls: float,
    kept_per_second: float = 0.0,
) -> CostEstimate:
    whole = main + functions + calls
    rate = workload.requests_per_second
    tokens = workload.prompt_tokens + workload.output_tokens
    return CostEstimate(
        per_request=whole,
        main_per_request=main,
        functions_per_request=functions,
        calls_per_request=calls,
        per_hour=_HOUR_SECONDS * (whole * rate if rate else kept_per_second),
        idle_per_hour=_HOUR_SECONDS * kept_per_second,
        per_million_tokens=1e6 * whole / tokens,
    )


def _main_per_second(placed: Placed, prices: Prices) -> float:
    memory = placed.main_memory_bytes * prices.main_gib_second
    return (memory + placed.main_gpu_bytes * prices.gpu_gib_second) / GIB
