"""Which of a text's own tokens stand in for those that it does not have.

A moving-block bootstrap (Kunsch, 1989): runs of neighbors, so that a token still follows one that
it followed in truth. Drawn alone, tokens would spread over the experts as they should and change
them from step to step as they never do.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

RUN_TOKENS = 16


def lengthened(
    own: int, wanted: int, generator: np.random.Generator, *, head: int = 0, run: int = RUN_TOKENS
) -> NDArray[np.int64]:
    """Indices [wanted] of a text's tokens: its own in order, cut or followed by runs of them.

    Args:
        own: tokens of the text.
        wanted: tokens that it shall have.
        generator: of chance.
        head: tokens that only ever begin a text, and are not repeated.
        run: neighbors drawn together.

    Raises:
        ValueError: the text has no tokens but its head, and more are wanted.
    """
    first = np.arange(min(own, wanted), dtype=np.int64)
    more = continued(own, wanted - len(first), generator, head=head, run=run)
    return np.concatenate([first, more])


def continued(
    own: int, wanted: int, generator: np.random.Generator, *, head: int = 0, run: int = RUN_TOKENS
) -> NDArray[np.int64]:
    """Indices [wanted] of runs alone; the text is a ring, so every token is as likely.

    Raises:
        ValueError: as `lengthened`; or `run` is not positive.
    """
    if run < 1:
        raise ValueError(f"run must be >= 1, got {run}")
    if wanted <= 0:
        return np.zeros(0, np.int64)
    body = own - head
    if body < 1:
        raise ValueError(f"own must be > head ({head}) to be repeated, got {own}")
    starts = generator.integers(body, size=-(-wanted // run))
    runs = (starts[:, None] + np.arange(run)) % body + head
    return np.asarray(runs.ravel()[:wanted], np.int64)
