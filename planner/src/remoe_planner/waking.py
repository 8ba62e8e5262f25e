"""Which functions a prompt will need: those worth waking before its first token is computed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from remoe_planner.forecast import Forecast
from remoe_planner.plan import FunctionPlan, Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedUse:
    """What a request is expected to ask of one function.

    Attributes:
        function: its name.
        probability: that at least one token needs it, 0 to 1.
        rows: expected token-expert assignments.
    """

    function: str
    probability: float
    rows: float


def expected_use(
    plan: Plan, forecast: Forecast, *, prompt_tokens: int, decode_tokens: int = 0
) -> tuple[ExpectedUse, ...]:
    """What a request is expected to ask of each function, in the plan's order.

    Tokens and their top-k choices count as independent draws from the forecast: an
    approximation, and one that errs towards waking.

    Raises:
        ValueError: a token count is negative, or the forecast is of another shape.
    """
    if prompt_tokens < 0 or decode_tokens < 0:
        raise ValueError(
            f"token counts must be >= 0, got {prompt_tokens} prompt and {decode_tokens} decode"
        )
    if forecast.frequencies.shape != plan.architecture.shape:
        raise ValueError(
            f"the forecast must have shape {plan.architecture.shape}, "
            f"got {forecast.frequencies.shape}"
        )
    draws = (prompt_tokens + decode_tokens) * plan.architecture.top_k
    return tuple(
        _use(function, _layer_shares(plan, function, forecast), draws)
        for function in plan.functions
    )


def functions_to_wake(
    plan: Plan,
    forecast: Forecast,
    prompt_tokens: int,
    *,
    decode_tokens: int = 0,
    min_probability: float = 0.5,
) -> tuple[str, ...]:
    """Names of the functions that the request will hit with at least this probability.

    Raises:
        ValueError: `min_probability` is not in 0..1, or as `expected_use` says.
    """
    if not 0 <= min_probability <= 1:
        raise ValueError(f"min_probability must be in 0..1, got {min_probability}")
    uses = expected_use(plan, forecast, prompt_tokens=prompt_tokens, decode_tokens=decode_tokens)
    return tuple(use.function for use in uses if use.probability >= min_probability)


def _layer_shares(plan: Plan, function: FunctionPlan, forecast: Forecast) -> NDArray[np.float64]:
    """The share of each layer's assignments that fall on this function, [layers]."""
    position = {layer: row for row, layer in enumerate(plan.architecture.layers)}
    shares = np.zeros(len(position))
    for expert in function.experts:
        shares[position[expert.layer]] += forecast.frequencies[position[expert.layer], expert.index]
    return np.clip(shares, 0, 1)


def _use(function: FunctionPlan, shares: NDArray[np.float64], draws: int) -> ExpectedUse:
    with np.errstate(divide="ignore", invalid="ignore"):
        log_missed = float(np.log1p(-shares).sum()) * draws if draws else 0.0
    return ExpectedUse(
        function=function.name,
        probability=float(-np.expm1(log_missed)),
        rows=float(shares.sum() * draws),
    )
