"""How many requests are decoded together, and how many wait for a slot: a birth-death process.

Requests come at random. With n of them in a step each gets a token per step, so that n leave in
the time of an answer's steps; prompts take turns with steps, which leaves decoding the rest of the
time. More requests than a step takes wait. As all in a step go on at one rate, the numbers depend
on answers' mean length alone (processor sharing); in the line their spread counts (Allen and
Cunneen).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from remoe_planner.queueing.stream import Stream

Floats = NDArray[np.float64]

ALL_BUT_FULL = 0.999
"""Of what can be done: whoever is asked for more is told as if it were asked for this."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Batch:
    """Requests at a main model's steps, in the long run; arrays are [...].

    Attributes:
        load: seconds asked of the main model for each second, at full steps; at 1 and more the
            line grows without end.
        rate: requests per second, no more than it can keep up with.
        rows: of the step that gives a token, a mean over tokens.
        stepping_seconds: of the step that an arrival finds, a mean; 0 where it finds none.
        others: requests that an arrival finds, those in line included, a mean.
        variance: of their number.
        empty: the chance that an arrival finds nobody.
        full: the chance that all slots are taken.
        line_seconds: until a slot is free, a mean.
    """

    load: Floats
    rate: Floats
    rows: Floats
    stepping_seconds: Floats
    others: Floats
    variance: Floats
    empty: Floats
    full: Floats
    line_seconds: Floats

    @classmethod
    def of(cls, stream: Stream, prefill_seconds: Floats, steps: Floats, replicas: Floats) -> Self:
        """The batch of one replica under a stream.

        Args:
            stream: of all replicas.
            prefill_seconds: [...], of a prompt's passes.
            steps: [n, ...], seconds of a step with `stream.rows`.
            replicas: [...], that share the stream.
        """
        hold = stream.hold_seconds(prefill_seconds, steps[-1])
        rate = np.minimum(stream.rate / replicas, ALL_BUT_FULL / hold)
        rows = stream.rows.reshape(-1, *(1,) * (steps.ndim - 1))
        # Requests that come while one leaves, by the number that are there.
        ratio = rate * stream.tokens * steps / (rows * (1 - rate * prefill_seconds))
        chance, line = _chances(ratio), 1 / (1 - ratio[-1])
        tail = chance[-1] * ratio[-1] * line
        there = np.concatenate((chance[1:-1], chance[-1:] + tail))
        number, most = np.arange(len(chance)).reshape(-1, *(1,) * (steps.ndim - 1)), len(ratio)
        others = (number * chance).sum(axis=0) + tail * (most + line)
        squares = most**2 + 2 * most * line + (1 + ratio[-1]) * line**2
        squares = (number**2 * chance).sum(axis=0) + tail * squares
        tokens = there * rows / steps
        spread = (1 + stream.answer_deviation**2) / 2
        return cls(
            load=np.asarray(stream.rate * hold / replicas),
            rate=rate,
            rows=(rows * tokens).sum(axis=0) / np.maximum(tokens.sum(axis=0), TINY),
            stepping_seconds=np.asarray((there * steps).sum(axis=0)),
            others=others,
            variance=np.maximum(squares - others**2, 0.0),
            empty=chance[0],
            full=there[-1],
            line_seconds=tail * line / np.maximum(rate, TINY) * spread,
        )


def _chances(ratio: Floats) -> Floats:
    """[n + 1, ...], how likely 0 to n requests are there; the last goes on falling by its ratio."""
    grown = np.cumsum(np.log(np.maximum(ratio, TINY)), axis=0)
    logs = np.concatenate((np.zeros_like(grown[:1]), grown))
    # The largest is 1: a thousand slots that are all taken are a large power.
    chance = np.exp(logs - logs.max(axis=0))
    last = ratio[-1]
    return np.asarray(chance / (chance.sum(axis=0) + chance[-1] * last / (1 - last)))


TINY = 1e-300
