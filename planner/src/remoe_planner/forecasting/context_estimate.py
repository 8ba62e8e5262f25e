"""The forecast of a prompt from its tokens in context, before it is sharpened."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from remoe_planner.forecasting.context_keys import Context
from remoe_planner.forecasting.context_model import ContextModel
from remoe_planner.forecasting.evidence import sum_by_row, weighted_sum
from remoe_planner.forecasting.outlook import distribution
from remoe_planner.forecasting.reading import Reading


def estimate(
    reading: Reading, mean: NDArray[np.float32], model: ContextModel
) -> tuple[NDArray[np.float64], float]:
    """The mean spread of the tokens read, [layers, experts], and the share exact contexts decided.

    Every token's estimate is linear in its parts, so sums over tokens are taken first and no
    token's own spread is ever made.
    """
    if not len(reading.positions):
        return mean.astype(np.float64), 0.0
    shares, left = reading.exact_shares(model.strengths)
    tokens = reading.token_estimates(mean, model.strengths, Context.TOKEN)
    total = weighted_sum(sum_by_row(left, reading.index, len(tokens)), tokens)
    features = reading.features(tokens, mean, model.basis)
    total += ((left.T @ features)[:, None, :] @ model.weights)[:, 0, :]
    for context, share in shares.items():
        total += reading.evidence[context].mixed(share)
    return distribution(total.astype(np.float64)), float(1 - left.mean())
