"""When to make a new plan: when use has shifted beyond chance, for long, and enough to pay for it.

Asked between requests, never within one. Making a plan to compare with takes far longer than a
request may wait, so it is made only once use has shifted, and by the caller.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from remoe_planner.demand.routing import Routing
from remoe_planner.fast_loop.change import Change
from remoe_planner.fast_loop.usage import RunningUsage


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftKnobs:
    """How slowly the slow loop turns.

    Attributes:
        least_requests: of late, before anything is said.
        noise_times: a shift counts from so many times what chance makes of it.
        horizon_seconds: how long a new plan is expected to be good for; its saving over that time
            must pay for the change.
        margin: share of what the old plan costs over that time that must remain as gain.
        patience_seconds: how long a change must have paid without a break.
        look_seconds: how often a new plan is made to compare with, at most.
        rest_seconds: after a change nothing is changed for so long.
    """

    least_requests: float = 30.0
    noise_times: float = 3.0
    horizon_seconds: float = 6 * 3600.0
    margin: float = 0.05
    patience_seconds: float = 300.0
    look_seconds: float = 60.0
    rest_seconds: float = 1800.0

    def __post_init__(self) -> None:
        for name in DriftKnobs.__slots__:
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0):
                raise ValueError(f"drift: {name} must be finite and >= 0, got {value}")
        if self.horizon_seconds == 0:
            raise ValueError("drift: horizon_seconds must be > 0, got 0")


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A new plan beside the one in force, both estimated under the use of late.

    Attributes:
        current_per_hour: what the plan in force costs.
        proposed_per_hour: what the new one would.
        change: what it takes to get there.
        rescues_slo: the plan in force breaks its SLO, and the new one holds it.
    """

    current_per_hour: float
    proposed_per_hour: float
    change: Change
    rescues_slo: bool = False

    @property
    def saving_per_hour(self) -> float:
        return self.current_per_hour - self.proposed_per_hour

    def gain(self, horizon_seconds: float) -> float:
        """What is saved over a time, less what the change costs."""
        return self.saving_per_hour * horizon_seconds / 3600 - self.change.cost


@dataclass(frozen=True, slots=True, kw_only=True)
class Keep:
    """The plan in force stays."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Replan:
    """A new plan pays.

    Attributes:
        reason: in words.
        saving: over the horizon, less the cost of the change; in the prices' currency.
    """

    reason: str
    saving: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Planned:
    """What the plan in force was made from.

    Attributes:
        shares: [layers, experts].
        requests: how many those rested on.
        at: when it came into force.
    """

    shares: NDArray[np.float64]
    requests: float
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """What is remembered from one look to the next; the times are on the caller's clock.

    Attributes:
        pays_since: since when every look said that a change pays; None where the last did not.
        looked_at: when a new plan was last made to compare with.
    """

    pays_since: float | None = None
    looked_at: float | None = None


def look(
    watch: Watch,
    usage: RunningUsage,
    planned: Planned,
    *,
    now: float,
    propose: Callable[[Routing], Proposal],
    knobs: DriftKnobs | None = None,
) -> tuple[Keep | Replan, Watch]:
    """Decide, and what to remember.

    Args:
        watch: what the last look left.
        usage: of late.
        planned: what the plan in force was made from.
        now: the time.
        propose: makes a plan from a routing and estimates both; called once a look at most.
        knobs: how slowly to turn.
    """
    knobs = knobs or DriftKnobs()
    if (reason := _too_early(watch, usage, planned, now, knobs)) is not None:
        return Keep(reason=reason), watch
    shift = usage.shift(planned.shares, planned.requests)
    if not shift.is_beyond(knobs.noise_times):
        return Keep(reason=f"use is as planned: {shift}"), Watch()
    proposal = propose(usage.routing())
    return _weighed(replace(watch, looked_at=now), proposal, now, knobs)


def _too_early(
    watch: Watch, usage: RunningUsage, planned: Planned, now: float, knobs: DriftKnobs
) -> str | None:
    if usage.requests < knobs.least_requests:
        return f"only {usage.requests:.0f} of {knobs.least_requests:.0f} requests are known"
    if now - planned.at < knobs.rest_seconds:
        return f"the plan is {now - planned.at:.0f} s old, and rests for {knobs.rest_seconds:.0f}"
    if watch.looked_at is not None and now - watch.looked_at < knobs.look_seconds:
        return f"looked {now - watch.looked_at:.0f} s ago"
    return None


def _weighed(
    watch: Watch, proposal: Proposal, now: float, knobs: DriftKnobs
) -> tuple[Keep | Replan, Watch]:
    gain = proposal.gain(knobs.horizon_seconds)
    needed = knobs.margin * proposal.current_per_hour * knobs.horizon_seconds / 3600
    if gain <= needed and not proposal.rescues_slo:
        reason = f"a change would gain {gain:.3g}, and {needed:.3g} is the least"
        return Keep(reason=reason), replace(watch, pays_since=None)
    since = now if watch.pays_since is None else watch.pays_since
    if now - since < knobs.patience_seconds:
        reason = f"a change has paid for {now - since:.0f} s of {knobs.patience_seconds:.0f}"
        return Keep(reason=reason), replace(watch, pays_since=since)
    why = "the plan in force breaks its SLO" if proposal.rescues_slo else "use has shifted"
    moved = f"{proposal.change.moved_bytes / 2**20:.0f} MiB of experts move"
    return Replan(reason=f"{why}: a change gains {gain:.3g}; {moved}", saving=gain), Watch()
