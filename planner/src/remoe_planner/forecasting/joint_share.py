"""How much of a forecast the prompt's vector says beside its tokens: learned as requests end.

Each request is foretold by both before they learn from it, and every share between them is judged
by what then happened; the best one of late is taken.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from remoe_planner.forecasting.divergences import layer_divergences
from remoe_planner.forecasting.outlook import Basis, Outlook, Trust, distribution

_SHARES = np.linspace(0, 1, 11)
_FADE = 0.995
# Sums that stand for requests not seen yet: real routing had its best between 0.3 and 0.7.
_PRIOR_SHARE = 0.4
_PRIOR_REQUESTS = 20
_PRIOR_CURVE = 0.01
_PRIOR_DIVERGENCE = 0.07


class JointShare:
    """Not safe for threads that judge; mixing alone may run together."""

    def __init__(self) -> None:
        off = _PRIOR_DIVERGENCE + _PRIOR_CURVE * (_SHARES - _PRIOR_SHARE) ** 2
        self._losses = _PRIOR_REQUESTS * off
        self._said = self._real = _PRIOR_REQUESTS * _PRIOR_DIVERGENCE

    @property
    def share(self) -> float:
        """How much of a forecast the vector says, 0 to 1."""
        return float(_SHARES[self._losses.argmin()])

    def mixed(self, context: Outlook, vector: Outlook) -> Outlook:
        """Both together where both know something; else the one that does."""
        if vector.basis is not Basis.VECTOR:
            return context
        if context.basis is not Basis.CONTEXT:
            return replace(vector, known=context.known)
        trust = context.trust
        if trust is not None:
            scale = self._real / self._said
            trust = Trust(
                expected_divergence=min(1.0, trust.expected_divergence * scale),
                log_spread=trust.log_spread,
            )
        spread = _mixed(context, vector, self.share)
        return replace(context, frequencies=spread, basis=Basis.JOINT, trust=trust)

    def judge(self, context: Outlook, vector: Outlook, actual: NDArray[np.float64]) -> None:
        """What both said of a request, and the shares [layers, experts] that it then had."""
        if vector.basis is not Basis.VECTOR or context.trust is None:
            return
        spreads = np.stack([_mixed(context, vector, float(share)) for share in _SHARES])
        off = layer_divergences(spreads, np.broadcast_to(actual, spreads.shape)).mean(axis=-1)
        now = int(self._losses.argmin())
        self._said = _FADE * self._said + context.trust.expected_divergence
        self._real = _FADE * self._real + float(off[now])
        self._losses = _FADE * self._losses + off

    def arrays(self) -> Mapping[str, NDArray[Any]]:
        """All that was learned."""
        return {"losses": self._losses, "trusted": np.array([self._said, self._real])}

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Become what `arrays` was taken from.

        Raises:
            KeyError, ValueError: it is no such state.
        """
        losses, trusted = arrays["losses"], arrays["trusted"]
        if losses.shape != _SHARES.shape or trusted.shape != (2,):
            raise ValueError(
                f"losses and trusted must be [{len(_SHARES)}] and [2], "
                f"got {losses.shape} and {trusted.shape}"
            )
        if not (np.isfinite(losses).all() and np.all(trusted > 0) and np.isfinite(trusted).all()):
            raise ValueError("losses and trusted must be finite, and trusted > 0")
        self._losses = losses.astype(np.float64)
        self._said, self._real = (float(value) for value in trusted)


def _mixed(context: Outlook, vector: Outlook, share: float) -> NDArray[np.float64]:
    """The mean of the roots: where either sees an expert idle, the other does not undo it."""
    roots = (1 - share) * np.sqrt(context.frequencies) + share * np.sqrt(vector.frequencies)
    return distribution(roots**2)
