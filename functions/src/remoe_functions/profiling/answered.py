"""What the main model said of one request, and where its time went meanwhile."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

PARTS = ("local_experts", "wire", "waiting", "sampling", "rest")
_METRIC = "remoe_step_seconds_total"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answered:
    """One request, measured.

    Attributes:
        prompt_tokens: of the prompt.
        steps: decode steps after the first token.
        prefill_seconds: from its slot to the first token.
        decode_seconds: from the first token to the last.
        parts: seconds of forward passes by part, as the engine accounts for them.
        calls: calls of functions.
        busy_seconds: the functions' own time.
        prefill: [MoE layers, experts], prompt tokens routed to each expert.
        decode: the same of generated tokens.
        token_seconds: when each token came, from the sending of the request.
        fallbacks: pairs that a function should have computed and did not.
    """

    prompt_tokens: int
    steps: int
    prefill_seconds: float
    decode_seconds: float
    parts: Mapping[str, float]
    calls: float
    busy_seconds: float
    prefill: NDArray[np.float64]
    decode: NDArray[np.float64]
    token_seconds: tuple[float, ...]
    fallbacks: int

    @property
    def kind(self) -> tuple[int, int]:
        """Requests of one kind ask the same."""
        return self.prompt_tokens, self.steps


def parts_of(metrics: str) -> dict[str, float]:
    """Seconds by part, from the main model's metrics page."""
    lines = (line for line in metrics.splitlines() if line.startswith(_METRIC))
    found = {line.split('"')[1]: float(line.rsplit(maxsplit=1)[-1]) for line in lines}
    return {part: found.get(part, 0.0) for part in PARTS}


def read_answer(
    lines: list[str], token_seconds: tuple[float, ...], parts: Mapping[str, float]
) -> Answered:
    """Put together the lines of an answer.

    Raises:
        ValueError: the request failed; says why.
    """
    events: dict[str, Any] = {}
    for line in lines:
        events |= json.loads(line)
    if "finish" not in events:
        raise ValueError(f"the main model failed: {events.get('error', 'it said nothing')}")
    usage = events["usage"]
    functions = usage["functions"].values()
    return Answered(
        prompt_tokens=usage["prompt_tokens"],
        steps=usage["completion_tokens"] - 1,
        prefill_seconds=usage["prefill_seconds"],
        decode_seconds=usage["decode_seconds"],
        parts=parts,
        calls=sum(use["calls"] for use in functions),
        busy_seconds=sum(use["busy_seconds"] for use in functions),
        prefill=_unpacked(events["prefill"]["counts"]),
        decode=_unpacked(usage["decode"]),
        token_seconds=token_seconds,
        fallbacks=usage["placements"]["fallback"],
    )


def _unpacked(body: Mapping[str, Any]) -> NDArray[np.float64]:
    data = np.frombuffer(base64.b64decode(body["data"]), body["dtype"])
    return data.reshape(body["shape"]).astype(np.float64)
