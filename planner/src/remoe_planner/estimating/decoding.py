"""One decode step: its seconds by what they are spent on, and the functions' part in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from remoe_planner.estimating.demanded import Picks
from remoe_planner.estimating.given import PromptWork, StepWork, step_works
from remoe_planner.estimating.placed import Floats, Placed
from remoe_planner.hardware.profile import HardwareProfile
from remoe_planner.latency.decode import ExpertSeconds, decode_expert_seconds
from remoe_planner.latency.together import in_line, together

BETWEEN_PASSES, FRONT_DOOR = "between passes", "front door"
LINE, OTHERS = "in line", "others' prompts"
CONTEXT = "context"
CALLS, WAITING = "calls", "waiting for functions"
MODEL_ERROR = 0.03
"""How much too low the mean step's seconds in functions may be: found against simulated requests,
whose picks are less independent than the model's."""
_BESIDE_PASSES = {BETWEEN_PASSES, FRONT_DOOR, LINE, OTHERS}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Step:
    """A decode step.

    Attributes:
        terms: seconds by what they are spent on.
        busy_seconds: [functions], of each function.
        calls: [functions], of each function.
    """

    terms: Mapping[str, float]
    busy_seconds: Floats
    calls: Floats

    @property
    def seconds(self) -> float:
        return sum(self.terms.values())

    @property
    def pass_seconds(self) -> float:
        """The forward pass alone: what is billed."""
        return sum(value for term, value in self.terms.items() if term not in _BESIDE_PASSES)

    def longer(self, term: str, seconds: float) -> Step:
        """This step with seconds that are nobody's work."""
        return replace(self, terms={**self.terms, term: seconds})

    def mixed(self, other: Step, share: float) -> Step:
        """This step, and the other one with this share of the time."""
        if not share:
            return self
        own = 1 - share
        return Step(
            terms={k: own * v + share * other.terms[k] for k, v in self.terms.items()},
            busy_seconds=own * self.busy_seconds + share * other.busy_seconds,
            calls=own * self.calls + share * other.calls,
        )


def decode_step(
    placed: Placed,
    profile: HardwareProfile,
    picks: Picks,
    visits: Floats,
    *,
    concurrency: float,
    context_tokens: float,
) -> Step:
    """The mean step of so many requests decoded together.

    A mean of 1.3 requests is one request in 70 % of the steps.

    Args:
        placed: the plan.
        profile: the machine.
        picks: of one generated token.
        visits: [layers, experts], of one generated token.
        concurrency: requests decoded together, a mean.
        context_tokens: tokens that each has behind it, a mean.
    """
    works = step_works(profile, visits, concurrency)
    steps = [whole_step(placed, profile, picks, work, context_tokens) for work in works]
    if len(steps) == 1:
        return steps[0]
    return steps[0].mixed(steps[1], concurrency - works[0].requests)


def whole_step(
    placed: Placed,
    profile: HardwareProfile,
    picks: Picks,
    asked: StepWork,
    context_tokens: float,
    uneven: Uneven | None = None,
) -> Step:
    """The step of a whole number of requests; arguments as above, what is uneven if known."""
    layers, rows = len(placed.homes), asked.requests
    work = _function_seconds(placed, asked)
    called = 1 - (1 - picks.called) ** rows if rows > 1 else picks.called
    if rows == 1:
        experts = _one_row(placed, profile, picks)
    else:
        experts = _shared_seconds(placed, profile, picks, asked, work, called)
        uneven = uneven or Uneven.of(placed, profile, picks, asked)
        longer = uneven.seconds(rows, work.sum(axis=1))
        experts = replace(experts, waiting=experts.waiting + longer)
    terms = {
        "attention and gates": layers * float(profile.module.at(rows)),
        CONTEXT: layers * rows * context_tokens * profile.context_seconds,
        "GPU hand-over": 2 * layers * float(profile.handover.at(rows)),
        "local experts": float(experts.local.sum()),
        CALLS: float(experts.wire.sum()),
        WAITING: float(experts.waiting.sum()),
        BETWEEN_PASSES: float(profile.step.at(rows)),
    }
    return Step(terms=terms, busy_seconds=work.sum(axis=0), calls=called.sum(axis=0))


def _one_row(placed: Placed, profile: HardwareProfile, picks: Picks) -> ExpertSeconds:
    return decode_expert_seconds(
        profile,
        row_bytes=row_bytes_of(placed),
        hits=picks.hits,
        function_cores=picks.cores,
        concentration=picks.concentration,
        calls=picks.calls,
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Uneven:
    """By which layers wait longer for their busiest function than for the mean one.

    Known for one row. Rows are independent of each other, so that of more rows it is that of one
    times their root, as much shorter as sharing makes their work.

    Attributes:
        one: [layers], seconds for one row.
        work: [layers], seconds of functions' work for one row.
    """

    one: Floats
    work: Floats

    @classmethod
    def of(cls, placed: Placed, profile: HardwareProfile, picks: Picks, asked: StepWork) -> Uneven:
        """Of a placement; from a step of any number of rows."""
        if not placed.functions:
            return cls(one=np.zeros(len(placed.homes)), work=np.zeros(len(placed.homes)))
        row = StepWork(profile, asked.rows / asked.requests, 1)
        work = _function_seconds(placed, row)
        mean = _shared_seconds(placed, profile, picks, row, work, picks.called).total
        one = np.maximum(_one_row(placed, profile, picks).total - mean, 0.0)
        return cls(one=one, work=work.sum(axis=1))

    def seconds(self, rows: int, work: Floats) -> Floats:
        """[layers], for so many rows, whose work in functions takes so long."""
        return np.asarray(self.one * rows**0.5 * (work / np.maximum(rows * self.work, _TINY)))


def _shared_seconds(
    placed: Placed,
    profile: HardwareProfile,
    picks: Picks,
    asked: StepWork,
    work: Floats,
    called: Floats,
) -> ExpertSeconds:
    """Experts of several requests: rows of the same expert read its weights once."""
    local = np.where(placed.homes == 0, asked.local, 0.0).sum(axis=1)
    wire = profile.call.main_seconds * called.sum(axis=1)
    travel = 2 * picks.rows * asked.requests * row_bytes_of(placed) / profile.call.bytes_per_second
    call = called * profile.call.mean_seconds + travel
    remote = slowest(profile, call, work)
    waiting = together(profile, local + wire, remote) - local - wire
    return ExpertSeconds(local=local, wire=wire, waiting=waiting)


def slowest(profile: HardwareProfile, call: Floats, work: Floats) -> Floats:
    """Seconds until the last function of each layer has answered, [layers].

    Functions run beside each other as far as there are cores for them; in between, as `in_line`
    says, part of their work is done one after the other.

    Args:
        profile: the machine.
        call: [layers, functions], seconds of calls beside the work.
        work: [layers, functions], seconds of work.
    """
    if not work.shape[1]:
        return np.zeros(len(work))
    alone = (call + work).max(axis=1)
    line = float(in_line(profile, 0.0))
    return np.asarray(np.maximum(alone, call.max(axis=1) + line * work.sum(axis=1)))


def _function_seconds(placed: Placed, asked: StepWork) -> Floats:
    """Expected seconds of work of each function, [layers, functions]."""
    remote = asked.remote
    if remote.alike:
        return placed.by_function(remote.hit) * remote.time.seconds_at(remote.speeds, placed.cores)
    return placed.by_function(remote_seconds(placed, asked))


def remote_seconds(placed: Placed, asked: PromptWork | StepWork) -> Floats:
    """Expected seconds of each expert in its function, 0 where it is local, [layers, experts]."""
    if not placed.functions:
        return np.zeros(placed.homes.shape)
    return np.where(placed.homes > 0, asked.remote.seconds_in(placed.cores, placed.homes), 0.0)


def row_bytes_of(placed: Placed) -> int:
    """Bytes of one token row on the wire (D): two for each value, as in bfloat16."""
    return 2 * placed.architecture.hidden_size


_TINY = 1e-300
