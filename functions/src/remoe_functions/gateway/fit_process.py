"""`python -m remoe_functions.gateway.fit_process`: fits a model on prompts, apart from requests.

Prompts come on standard input and the fitted numbers leave on standard output, both as npz: no
prompt touches a disk. The process is as nice as can be, and ends when it has answered.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from remoe_planner.forecasting.context_forecaster import ContextForecaster
from remoe_planner.forecasting.routed_prompt import Query, RoutedPrompt
from remoe_planner.forecasting.shape import RoutingShape

_NICEST = 19


def packed_job(
    shape: RoutingShape, words: NDArray[np.int64], salt: int, prompts: Sequence[RoutedPrompt]
) -> bytes:
    """What the process reads.

    Args:
        shape: of the routing.
        words: [vocabulary] class of each token.
        salt: of the tables' keys.
        prompts: at least one.
    """
    return packed(
        {
            "shape": np.array([shape.layers, shape.experts, shape.top_k]),
            "words": words,
            "salt": np.array([salt], np.uint64),
            "lengths": np.array([len(prompt.query.tokens) for prompt in prompts]),
            "tokens": np.concatenate([prompt.query.tokens for prompt in prompts]),
            "experts": np.concatenate([prompt.experts for prompt in prompts]),
        }
    )


def fitted(job: bytes) -> bytes:
    """The model of a job: what the process writes."""
    arrays = unpacked(job)
    layers, experts, top_k = arrays["shape"].tolist()
    forecaster = ContextForecaster(
        RoutingShape(layers=layers, experts=experts, top_k=top_k),
        words=arrays["words"],
        salt=int(arrays["salt"][0]),
    )
    ends = np.cumsum(arrays["lengths"])[:-1]
    pairs = zip(np.split(arrays["tokens"], ends), np.split(arrays["experts"], ends), strict=True)
    forecaster.refit([RoutedPrompt(query=Query(tokens=t), experts=e) for t, e in pairs])
    return packed(forecaster.model_arrays())


def packed(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Arrays as the bytes of an npz file."""
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


def unpacked(data: bytes | memoryview) -> dict[str, NDArray[Any]]:
    """The inverse of `packed`.

    Raises:
        ValueError, OSError, zipfile.BadZipFile: it is no npz file, or one with objects in it.
    """
    with np.load(io.BytesIO(data), allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def main() -> int:
    """Answer the one job on standard input; the exit status."""
    os.nice(_NICEST)
    sys.stdout.buffer.write(fitted(sys.stdin.buffer.read()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
