"""How much the prompts most like one have to say: the weights of the nearest, fitted.

The paper's softmax over cosines (its temperature unstated), and the share of the whole that the
nearest decide. Both are those under which past prompts, each left out, were foretold best.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SHARES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
_TEMPERATURES = np.geomspace(0.01, 3, 12)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kinship:
    """Fitted weights.

    Attributes:
        temperature: of the softmax over cosines: small trusts the nearest alone.
        share: 0 to 1, of what the nearest say against what is expected without them.
    """

    temperature: float
    share: float = 1.0

    def weights(self, cosines: NDArray[np.float64]) -> NDArray[np.float64]:
        """Of each of the nearest; they sum to the share."""
        weights = _softmax(cosines, np.array([self.temperature]))[0]
        return np.asarray(self.share * weights)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Judged:
    """A past prompt and its nearest others.

    Attributes:
        cosines: [n] of the nearest.
        deviations: [n, layers, experts] what they did beyond what was expected.
        losses: of deviations [choices, layers, experts] taken over, [choices].
    """

    cosines: NDArray[np.float64]
    deviations: NDArray[np.float64]
    losses: Callable[[NDArray[np.float64]], NDArray[np.float64]]


def fit_kinship(
    past: Iterable[Judged], *, fallback: Kinship, shares: tuple[float, ...] = SHARES
) -> Kinship:
    """The weights of least loss over the prompts; the fallback where there are none.

    Args:
        past: prompts, each with its nearest others.
        fallback: what holds where there is none to judge by.
        shares: those tried.
    """
    total = np.zeros((len(shares), len(_TEMPERATURES)))
    judged = 0
    for one in past:
        weights = _softmax(one.cosines, _TEMPERATURES)
        said = np.tensordot(weights, one.deviations, axes=1)
        total += [one.losses(share * said) for share in shares]
        judged += 1
    if not judged:
        return fallback
    share, temperature = np.unravel_index(total.argmin(), total.shape)
    return Kinship(temperature=float(_TEMPERATURES[temperature]), share=shares[share])


def _softmax(
    cosines: NDArray[np.float64], temperatures: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Weights of the cosines [n] at each temperature, [temperatures, n]."""
    raised = np.exp((cosines - cosines.max()) / temperatures[:, None])
    return np.asarray(raised / raised.sum(axis=1, keepdims=True))
