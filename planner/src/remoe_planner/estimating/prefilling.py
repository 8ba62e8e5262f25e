"""The way to the first token: a prompt's passes, chunk by chunk, and the functions' part in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from remoe_planner.estimating.decoding import (
    BETWEEN_PASSES,
    CALLS,
    FRONT_DOOR,
    WAITING,
    Step,
    remote_seconds,
    row_bytes_of,
    slowest,
)
from remoe_planner.estimating.given import PromptWork
from remoe_planner.estimating.placed import Bools, Floats, Placed
from remoe_planner.hardware.profile import HardwareProfile
from remoe_planner.latency.prefill import (
    context_seconds,
    module_seconds,
    pass_seconds,
)
from remoe_planner.latency.together import together


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Shares:
    """What a prompt asks of every home, of one chunk.

    Attributes:
        asked: of every expert.
        rows: [layers, functions].
        local: [layers, functions + 1], seconds of the experts of each home beside the main model;
            the first one is its own.
        tasks: [layers, functions], seconds of work.
        longest: [layers, functions], of the longest expert.
    """

    asked: PromptWork
    rows: Floats
    local: Floats
    tasks: Floats
    longest: Floats

    @classmethod
    def of(cls, placed: Placed, asked: PromptWork) -> Self:
        """Of a placement."""
        if not placed.functions:
            none = np.zeros((len(placed.homes), 0))
            local = asked.local.sum(axis=1, keepdims=True)
            return cls(asked=asked, rows=none, local=local, tasks=none, longest=none)
        tasks = remote_seconds(placed, asked)
        return cls(
            asked=asked,
            rows=placed.by_function(asked.rows),
            local=placed.by_home(asked.local),
            tasks=placed.by_function(tasks),
            longest=_longest(placed, tasks),
        )


def prefill(
    placed: Placed,
    profile: HardwareProfile,
    shares: Shares,
    *,
    payload_bytes: int | None = None,
    asleep: Bools | None = None,
) -> Step:
    """A whole prompt (eqs. 1 to 3), as if it were one long step.

    Args:
        placed: the plan.
        profile: the machine.
        shares: what the prompt asks of every home.
        payload_bytes: token rows in one call at most.
        asleep: bool [functions], those whose experts the main model computes itself.
    """
    asked, layers = shares.asked, len(placed.homes)
    chunks, prompt_tokens = asked.chunks, asked.tokens
    awake = np.ones(placed.functions) if asleep is None else 1.0 - asleep
    local = shares.local[:, 0] + (shares.local[:, 1:] * (1.0 - awake)).sum(axis=1)
    call, calls, work = (value * awake for value in _remote(placed, profile, shares, payload_bytes))
    wire = profile.call.main_seconds * calls.sum(axis=1)
    remote = slowest(profile, call, work)
    waiting = together(profile, local + wire, remote) - local - wire
    busy = (shares.tasks * awake).sum(axis=0)
    context = context_seconds(profile, prompt_tokens)
    modules = module_seconds(profile, prompt_tokens, layers)
    passes = pass_seconds(profile, prompt_tokens)
    terms = {
        "attention and gates": modules - layers * context - passes,
        "context": layers * context,
        "local experts": chunks * float(local.sum()),
        CALLS: chunks * float(wire.sum()),
        WAITING: chunks * float(waiting.sum()),
        BETWEEN_PASSES: passes,
        FRONT_DOOR: profile.request_seconds,
    }
    return Step(terms=terms, busy_seconds=chunks * busy, calls=chunks * calls.sum(axis=0))


def _remote(
    placed: Placed, profile: HardwareProfile, shares: Shares, payload_bytes: int | None
) -> tuple[Floats, Floats, Floats]:
    """Seconds of calls, number of calls and seconds of work, each [layers, functions].

    Replicas share a layer's experts by longest processing time first: the busiest gets an even
    share, or the longest expert alone.
    """
    asked = shares.rows
    replicas = np.maximum(placed.replicas, 1)
    hit = -np.expm1(-asked)
    row_bytes = row_bytes_of(placed)
    split = np.minimum(replicas, np.maximum(np.ceil(asked / _WORTH_A_REPLICA), 1))
    if payload_bytes:
        split = np.maximum(split, np.ceil(asked * row_bytes / payload_bytes))
    in_turn = np.ceil(split / replicas)
    parallel = np.minimum(split, replicas)
    # A row travels once, however many of the function's experts it visits.
    travelling = np.minimum(asked / parallel, shares.asked.chunk_tokens)
    travel = 2 * travelling * row_bytes / profile.call.bytes_per_second
    call = hit * in_turn * profile.call.mean_seconds + travel
    return call, hit * split, np.maximum(shares.tasks / parallel, shares.longest)


def _longest(placed: Placed, work: Floats) -> Floats:
    """The longest expert of each layer's functions, [layers, functions]."""
    longest = np.zeros(placed.homes.shape[0] * (placed.functions + 1))
    np.maximum.at(longest, placed.places, work.ravel())
    return longest.reshape(len(work), -1)[:, 1:]


_WORTH_A_REPLICA = 16.0
"""Pairs that a replica must get for the main model to split a layer's call."""
