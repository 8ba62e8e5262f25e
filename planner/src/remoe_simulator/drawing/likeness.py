"""What must stay as it was when routing is resized or lengthened, in figures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from remoe_planner.forecasting.divergences import layer_divergences
from remoe_planner.forecasting.outlook import distribution

_PARTS = (0.125, 0.25, 0.5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Likeness:
    """How uneven experts' use is, and how unlike that of single prompts.

    Attributes:
        busiest: share of the assignments at the busiest 12.5, 25 and 50 % of a layer's experts.
        own_busiest: the same where each prompt has its own busiest, the mean of prompts.
        from_mean: Jensen-Shannon divergence (bits) of a prompt to the mean of all, the mean.
        between: that of prompts to each other, drawn at random.
    """

    busiest: tuple[float, ...]
    own_busiest: tuple[float, ...]
    from_mean: float
    between: float

    @classmethod
    def of(cls, counts: NDArray[Any], *, seed: int = 0) -> Likeness:
        """Of prompts' counts, [prompts, layers, experts].

        Raises:
            ValueError: there are fewer than two prompts.
        """
        if len(counts) < 2:
            raise ValueError(f"counts must hold at least two prompts, got {len(counts)}")
        shares = distribution(counts.astype(np.float64))
        mean = distribution(counts.sum(axis=0, dtype=np.float64))
        partner = np.random.default_rng(seed).permutation(len(shares))
        partner = np.where(partner == np.arange(len(shares)), np.roll(partner, 1), partner)
        return cls(
            busiest=_busiest(mean),
            own_busiest=_busiest(shares),
            from_mean=float(layer_divergences(shares, np.broadcast_to(mean, shares.shape)).mean()),
            between=float(layer_divergences(shares, shares[partner]).mean()),
        )


def _busiest(shares: NDArray[np.float64]) -> tuple[float, ...]:
    """Shares [..., layers, experts] of the busiest parts, the mean of all rows."""
    curve = np.sort(shares, axis=-1)[..., ::-1].cumsum(axis=-1)
    curve = curve.reshape(-1, shares.shape[-1]).mean(axis=0)
    parts = np.linspace(0, 1, len(curve) + 1)
    return tuple(np.interp(_PARTS, parts, np.append(0.0, curve)).tolist())
