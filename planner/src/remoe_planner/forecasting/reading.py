"""A prompt read against the tables: the evidence for each of its tokens, vague to exact.

The one path to a forecast, walked by the gateway for a new prompt and by the fit for a past one
with its own counts taken out.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from remoe_planner.forecasting.context_features import context_features, spread_positions
from remoe_planner.forecasting.context_keys import Context
from remoe_planner.forecasting.evidence import Evidence, gather
from remoe_planner.forecasting.tables import Tables

_EXACT = (Context.TRIPLE, Context.PAIR)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Reading:
    """Evidence for the tokens read of one prompt.

    Attributes:
        positions: [n] which tokens were read (long prompts are read in runs).
        evidence: by context; `index` has n entries.
        distinct: [u] one place in 0..n-1 for each distinct token.
        index: [n] the distinct token at each place.
    """

    positions: NDArray[np.int64]
    evidence: dict[Context, Evidence]
    distinct: NDArray[np.int64]
    index: NDArray[np.int64]

    @property
    def unknown(self) -> float:
        """Share of tokens neither seen as such nor as their word."""
        seen = self._seen(Context.WORD) + self._seen(Context.TOKEN)
        return float((seen == 0).mean()) if len(self.positions) else 1.0

    def _seen(self, context: Context) -> NDArray[np.float32]:
        evidence = self.evidence[context]
        return np.asarray(evidence.tokens.sum(axis=1)[evidence.index])

    def token_estimates(
        self, mean: NDArray[np.float32], strengths: NDArray[np.float32], upto: Context
    ) -> NDArray[np.float32]:
        """The spread of each distinct token whatever its context, [u, layers, experts].

        Args:
            mean: [layers, experts] what to expect of a token never seen.
            strengths: [contexts, layers].
            upto: the most exact context used: `WORD`, or `TOKEN`, which backs off to the word.
        """
        estimates = mean
        for context in (Context.WORD, Context.TOKEN)[: upto + 1]:
            evidence = self.evidence[context]
            rows = evidence.index[self.distinct]
            estimates = shrunk(
                evidence.counts[rows], evidence.tokens[rows], estimates, strengths[context]
            )
        return estimates

    def features(
        self, estimates: NDArray[np.float32], mean: NDArray[np.float32], basis: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """What stands around each token, [n, features]."""
        # The mean is taken off after the product, which makes it that of all in a row.
        embeddings = estimates.reshape(len(estimates), mean.size) @ basis - mean.ravel() @ basis
        return context_features(embeddings[self.index], self.positions)

    def exact_shares(
        self, strengths: NDArray[np.float32]
    ) -> tuple[dict[Context, NDArray[np.float32]], NDArray[np.float32]]:
        """How much each exact context decides, [n, layers] each, and what is left to the token."""
        left = np.ones((len(self.positions), strengths.shape[1]), np.float32)
        shares = {}
        for context in _EXACT:
            trust = self.evidence[context].trust(strengths[context])
            shares[context] = left * trust
            left = left - shares[context]
        return shares, left

    def backed_off(
        self, prior: NDArray[np.float32], strengths: NDArray[np.float32], context: Context
    ) -> NDArray[np.float32]:
        """Each token's estimate given one exact context and a prior, [n, layers, experts]."""
        evidence = self.evidence[context]
        rows = evidence.index
        return shrunk(evidence.counts[rows], evidence.tokens[rows], prior, strengths[context])


def shrunk(
    counts: NDArray[np.float32],
    tokens: NDArray[np.float32],
    prior: NDArray[np.float32],
    strength: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Posterior mean [n, layers, experts], the Dirichlet prior worth `strength` [layers] tokens."""
    # Large arrays, so none is made that is not needed: most of the time is their memory's.
    estimates = np.broadcast_to(strength[:, None] * prior, counts.shape) + counts
    estimates /= (tokens + strength)[..., None]
    return estimates


def read(
    tables: Tables,
    tokens: NDArray[np.int64],
    *,
    max_tokens: int,
    own_cells: NDArray[np.int64] | None = None,
    contexts: Iterable[Context] = Context,
) -> Reading:
    """Look a prompt up.

    Args:
        tables: where.
        tokens: [m] the prompt.
        max_tokens: read no more than about this many of them.
        own_cells: [m, picks] the prompt's own routing, where the tables have counted it.
        contexts: look up these alone.
    """
    keys = tables.keys(tokens)
    positions = spread_positions(len(tokens), max_tokens)
    evidence = {
        context: gather(
            tables[context],
            keys[context][positions],
            tables.shape.top_k,
            None if own_cells is None else (keys[context], own_cells),
        )
        for context in contexts
    }
    _, distinct, index = np.unique(tokens[positions], return_index=True, return_inverse=True)
    return Reading(positions=positions, evidence=evidence, distinct=distinct, index=index.ravel())
