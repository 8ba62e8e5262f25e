"""What a caller asks of the engine, and what it is told back. Values only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """How the next token is chosen; the defaults are greedy's opposite: the model's own odds.

    Attributes:
        temperature: 0 for the likeliest token, else the divisor of the logits.
        top_p: the share of probability that the likeliest tokens kept must reach.
        top_k: how many of the likeliest tokens are kept; None for all.
        seed: with the token's number, all that the noise depends on.
        frequency_penalty: taken from a token's logit for each time it was generated.
        presence_penalty: taken from a token's logit if it was generated at all.
        logprobs: how many alternatives to report with each token; None for no report.
    """

    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int | None = None
    seed: int = 0
    frequency_penalty: float = 0.0
    presence_penalty: float = 0.0
    logprobs: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerateRequest:
    """One answer wanted.

    Attributes:
        request_id: the caller's name for it, unique among those running.
        prompt: token ids, at least one.
        generated: tokens an earlier attempt produced already; generation goes on after them.
        max_tokens: tokens of the answer at most, `generated` counted.
        sampling: how tokens are chosen.
        stop_token_ids: tokens that end the answer, beside the model's own.
        ignore_eos: the model's own end tokens do not end it.
        report_routing: tell where the prompt's tokens went, and in the end the answer's.
    """

    request_id: str
    prompt: tuple[int, ...]
    max_tokens: int
    generated: tuple[int, ...] = ()
    sampling: Sampling = Sampling()
    stop_token_ids: frozenset[int] = frozenset()
    ignore_eos: bool = False
    report_routing: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A generated token; `top` holds (token, log-probability) pairs, likeliest first."""

    token: int
    logprob: float | None = None
    top: tuple[tuple[int, float], ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Prefilled:
    """Where the prompt went, told once, right after the first token.

    Attributes:
        counts: uint32 [MoE layers, experts]: tokens of the prompt routed to each expert.
        experts: uint8 or uint16 [n, MoE layers, top_k]: experts of the prompt's last n tokens.
    """

    counts: NDArray[np.uint32]
    experts: NDArray[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionUse:
    """What one answer used of one function: its share of calls, its rows, its share of time."""

    calls: float
    rows: int
    busy_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What an answer took.

    Attributes:
        prompt_tokens: tokens of the prompt.
        completion_tokens: tokens of the answer, those of earlier attempts counted.
        queue_seconds: from arrival to a slot.
        prefill_seconds: from a slot to the first token.
        decode_seconds: from the first token to the last.
        main_seconds: this request's share of the main model's time.
        functions: use of each function by name.
        layers: int [MoE layers, 3]: pairs computed locally, remotely, and locally in place of a
            function that did not answer.
        decode: uint32 [MoE layers, experts]: generated tokens routed to each expert; None unless
            the routing was asked for.
    """

    prompt_tokens: int
    completion_tokens: int
    queue_seconds: float
    prefill_seconds: float
    decode_seconds: float
    main_seconds: float
    functions: dict[str, FunctionUse]
    layers: NDArray[np.int64]
    decode: NDArray[np.uint32] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """The end of an answer: `reason` is "stop" or "length"."""

    reason: str
    usage: Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """The end of an answer that could not be given."""

    code: str
    message: str


Event = Token | Prefilled | Finished | Failed
Deliver = Callable[[Event], None]
"""Called on the engine's thread; it must not block."""
