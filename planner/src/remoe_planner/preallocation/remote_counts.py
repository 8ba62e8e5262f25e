"""Which numbers of remote experts are looked at, from all of them to none, and which is taken.

The row of candidates does not depend on the SLO, and the first that holds it is taken: whoever
promises less is never given more memory.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from remoe_planner.demand.slo import Slo
from remoe_planner.preallocation.worst_case import Machine, WorstCase

_TRADES = 32


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Candidates:
    """Numbers of remote experts by layer, most remote first.

    Attributes:
        stages: [stages, layers] remote experts of each layer; from one stage to the next the
            layers change one after the other.
        walk: [candidates] how many such changes lie before each.
        remote: [candidates] remote experts of all layers.
        most: [candidates] of the layer that has most, or a little more.
        ttft_seconds: [candidates] at worst.
        tpot_seconds: [candidates] at worst.
    """

    stages: NDArray[np.int64]
    walk: NDArray[np.int64]
    remote: NDArray[np.int64]
    most: NDArray[np.int64]
    ttft_seconds: NDArray[np.float64]
    tpot_seconds: NDArray[np.float64]

    def counts(self, candidate: int) -> NDArray[np.int64]:
        """Remote experts of each layer."""
        layers = self.stages.shape[1]
        stage, changed = divmod(int(self.walk[candidate]), layers)
        after = self.stages[min(stage + 1, len(self.stages) - 1)]
        return np.asarray(np.where(np.arange(layers) < changed, after, self.stages[stage]))

    def with_cold_start(self, machine: Machine) -> Candidates:
        """The same where the main model and its functions start first, side by side."""
        architecture, profile = machine.architecture, machine.profile
        local = architecture.expert_count - self.remote
        weights = architecture.main_bytes + local * float(architecture.expert_bytes)
        main = profile.main_start.seconds + weights / profile.main_start.bytes_per_second
        rate = profile.function_start.bytes_per_second
        function = profile.function_start.seconds + self.most * architecture.expert_bytes / rate
        start = np.maximum(main, np.where(self.most > 0, function, 0.0))
        return replace(self, ttft_seconds=self.ttft_seconds + start)

    def first_within(self, slo: Slo, fits: NDArray[np.bool_]) -> tuple[int, bool]:
        """The candidate of most remote experts that holds the SLO, and whether there is one.

        Where there is none, the one that breaks it least, of those that fit.
        """
        excess = np.maximum(
            self.ttft_seconds / (slo.ttft_seconds or np.inf),
            self.tpot_seconds / (slo.tpot_seconds or np.inf),
        )
        holds = fits & (excess <= 1)
        if holds.any():
            return int(np.argmax(holds)), True
        return int(np.argmin(np.where(fits, excess, np.inf) if fits.any() else -self.remote)), False


def share_candidates(worst: WorstCase, step: float) -> Candidates:
    """The same share of every layer, from b = 1 down to 0 by a step (the paper's loop)."""
    layers, columns = worst.prefill.shape
    shares = np.maximum(1 - step * np.arange(int(np.ceil(1 / step)) + 1), 0.0)
    counts = np.unique(np.floor(shares * (columns - 1) + _ROUNDING).astype(np.int64))[::-1]
    return _along(worst, np.repeat(counts[:, None], layers, axis=1), between=False)


def layer_candidates(worst: WorstCase) -> Candidates:
    """Each layer its own number: the most remote experts for the seconds that they cost.

    Layer by layer the number that maximizes experts less price times seconds, at rising prices:
    the corners of the convex hull, whose totals no other numbers beat. Seconds of both phases are
    weighed by what all local takes.
    """
    prefill, decode = worst.prefill, worst.decode
    weighed = prefill / _scale(prefill) + decode / _scale(decode)
    sizes = np.arange(prefill.shape[1])
    step = np.max(weighed.max(axis=1) - weighed.min(axis=1))
    prices = np.geomspace(_LEAST_PRICE, _MOST_PRICE, _TRADES) / max(float(step), _TINY)
    stages = [np.full(len(prefill), sizes[-1])]
    stages += [_last_best(sizes - price * weighed) for price in prices]
    stages.append(_last_best(-weighed))
    return _along(worst, np.minimum.accumulate(np.stack(stages), axis=0), between=True)


_LEAST_PRICE, _MOST_PRICE = 1.0, 1e5
_TINY, _ROUNDING = 1e-12, 1e-9


def _scale(seconds: NDArray[np.float64]) -> float:
    return max(float(seconds[:, 0].sum()), _TINY)


def _last_best(worth: NDArray[np.float64]) -> NDArray[np.int64]:
    """The largest number of remote experts among equals, by layer."""
    return np.asarray(worth.shape[1] - 1 - np.argmax(worth[:, ::-1], axis=1))


def _along(worst: WorstCase, stages: NDArray[np.int64], *, between: bool) -> Candidates:
    """Totals of every stage and, if asked, of the way from each to the next, layer by layer."""
    layers = stages.shape[1]
    rows, end = np.arange(layers), (len(stages) - 1) * layers
    walk = np.arange(0, end + 1, 1 if between else layers)
    return Candidates(
        stages=stages,
        walk=walk,
        remote=_totals(stages)[walk],
        most=stages.max(axis=1)[walk // layers],
        ttft_seconds=worst.prefill_beside + _totals(worst.prefill[rows, stages])[walk],
        tpot_seconds=worst.decode_beside + _totals(worst.decode[rows, stages])[walk],
    )


def _totals(values: NDArray[Any]) -> NDArray[Any]:
    """Sums of [stages, layers] while layers change one by one from a stage to the next."""
    first = values[0].sum()
    return np.concatenate([[first], first + np.cumsum(np.diff(values, axis=0).reshape(-1))])
