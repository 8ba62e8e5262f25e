"""How much of the time a part that falls asleep is awake. The paper leaves idle time out."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

# exp(700) is near the largest float; a part that is held this often never sleeps.
_ALWAYS = 700.0


def asleep_share(
    rate: ArrayLike, held_seconds: ArrayLike, start_seconds: ArrayLike
) -> NDArray[np.float64]:
    """Share of the time that a part with no minimum of replicas sleeps.

    Requests that need it come as a Poisson stream of rate r. Each holds it awake for H seconds:
    while it is worked on, and for the keep-alive after. So it is awake as long as a server of an
    M/G/infinity queue with service time H is busy, and such a busy period lasts (e^(rH) - 1)/r.
    Asleep it stays for 1/r, until the next request, and that one waits for S seconds of start;
    whoever comes meanwhile begins together with it. A cycle is S + (e^(rH) - 1)/r + 1/r, and

        asleep = 1 / (rS + e^(rH)).

    By PASTA it is also the share of requests that find the part asleep.

    Args:
        rate: r, requests per second that need the part.
        held_seconds: H, a mean.
        start_seconds: S, of a cold start.
    """
    r, held = np.asarray(rate, np.float64), np.asarray(held_seconds, np.float64)
    start = np.asarray(start_seconds, np.float64)
    return np.asarray(1 / (r * start + np.exp(np.minimum(r * held, _ALWAYS))))


def awake_per_request(
    rate: ArrayLike, held_seconds: ArrayLike, start_seconds: ArrayLike
) -> NDArray[np.float64]:
    """Seconds awake for each request that needs the part: (1 - asleep)/r, S + H as r goes to 0.

    Written so that it loses no digits where requests are rare.
    """
    r, held = np.asarray(rate, np.float64), np.asarray(held_seconds, np.float64)
    start = np.asarray(start_seconds, np.float64)
    busy = np.minimum(r * held, _ALWAYS)
    grown = np.where(r > 0, np.expm1(busy) / np.where(r > 0, r, 1.0), held)
    return np.asarray((start + grown) / (r * start + np.exp(busy)))


def held_seconds(
    calls: ArrayLike, span_seconds: ArrayLike, keep_alive_seconds: ArrayLike
) -> NDArray[np.float64]:
    """How long a request holds a function that it calls so often within its span.

    From the first call to the last, as they lie at random in the span, and the keep-alive; but no
    longer than a keep-alive for each call.
    """
    count = np.maximum(np.asarray(calls, np.float64), 1.0)
    keep = np.asarray(keep_alive_seconds, np.float64)
    between = np.asarray(span_seconds, np.float64) * (count - 1) / (count + 1)
    return np.asarray(np.minimum(between, keep * (count - 1)) + keep)
