"""Whether another plan would pay by now. It is only said: nothing is switched beside requests.

1. take note of the use that the plan in force was made from: what was recorded when it began
2. take note of use of late, whenever the history was read again
3. every few minutes, in a thread: ask the planner's slow loop, and make a plan to compare with

A new plan is applied by whoever operates the service (`remoe plan`, `remoe serve --plan`).
"""

from __future__ import annotations

import logging
import math
from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from remoe_planner.activation_history import ActivationHistory
from remoe_planner.demand.routing import Routing
from remoe_planner.demand.slo import Slo
from remoe_planner.demand.workload import Workload
from remoe_planner.fast_loop.drift import DriftKnobs, Planned, Proposal, Replan, Watch, look
from remoe_planner.fast_loop.usage import RunningUsage
from remoe_planner.forecasting.outlook import distribution
from remoe_planner.hardware.profile import HardwareProfile
from remoe_planner.memory import MemoryModel
from remoe_planner.method import Method
from remoe_planner.offerings import Offerings
from remoe_planner.plan import Plan
from remoe_planner.prices import Prices

if TYPE_CHECKING:
    from remoe_planner.fast_loop.proposing import Service

_logger = logging.getLogger(__name__)
# Of older requests less than an eighth is left in a sum that halves every 100.
_LATEST = 300
# Requests that the plan in force is taken to be made from: the latest when it began.
_PLANNED = 1_000
# Looks that the rate of requests is a mean over.
_RATED_LOOKS = 12
# Main models, as far as plans are compared: the requests of late were served by however many.
_ENOUGH = 1_000
# A new plan must not be slower than the one in force; rounding is no slowness.
_SLACK = 1.01


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanTerms:
    """What plans of one model are compared under.

    Attributes:
        plan: the plan in force.
        profile: the machine.
        prices: the price list.
        main_keep_alive_seconds: how long an idle main model stays; None for ever.
    """

    plan: Plan
    profile: HardwareProfile
    prices: Prices
    main_keep_alive_seconds: float | None = None

    @property
    def offerings(self) -> Offerings:
        """What a new plan may choose from: functions that stay and spread as those in force."""
        functions = self.plan.functions
        return Offerings(
            prices=self.prices,
            gpu=self.profile.gpu,
            memory=self.profile.memory or MemoryModel(),
            main_keep_alive_seconds=self.main_keep_alive_seconds,
            function_keep_alive_seconds=max((f.keep_alive_seconds for f in functions), default=60),
            max_replicas=max((f.max_replicas for f in functions), default=1),
            main_replicas=_ENOUGH,
        )

    def proposal(self, routing: Routing, workload: Workload) -> Proposal:
        """The cheapest plan that is no slower, beside the one in force.

        Raises:
            ValueError: no plan fits what is on offer.
        """
        # They bring scipy, and most gateways weigh no plans: those start in half the time.
        from remoe_planner.fast_loop.proposing import Service, proposal
        from remoe_planner.planning.make_plan import make_plan

        service = Service(
            workload=workload, profile=self.profile, offerings=self.offerings, slo=Slo()
        )
        service = replace(service, slo=_no_slower(service, self.plan, routing))
        found = make_plan(
            self.plan.architecture,
            method=Method.MARGINAL,
            routing=routing,
            workload=workload,
            slo=service.slo,
            profile=self.profile,
            offerings=service.offerings,
        )
        return proposal(self.plan, found.plan, routing, service)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Recorded:
    """What the history says: of the plan's making, and of late."""

    planned: Planned
    usage: RunningUsage
    lengths: Workload


class PlanWatch:
    """One model's. Histories may be taken in another thread than the looks; looks come in turn."""

    def __init__(self, terms: PlanTerms, knobs: DriftKnobs | None = None) -> None:
        self._terms = terms
        self._knobs = knobs or DriftKnobs()
        self._recorded: _Recorded | None = None
        self._watch = Watch()
        self._pays = False
        self._seen: deque[tuple[float, int]] = deque(maxlen=_RATED_LOOKS)

    def take_history(self, history: ActivationHistory, *, now: float) -> None:
        """The first one is what the plan in force was made from; each is what use is of late."""
        known = self._recorded
        planned = _planned(history, at=now) if known is None else known.planned
        usage = RunningUsage.nothing(history.shape)
        for counts in _counts_of_latest(history, _LATEST):
            usage = usage.after(counts, planned.shares)
        self._recorded = _Recorded(planned=planned, usage=usage, lengths=_lengths(history))

    def look(self, *, now: float, requests: int) -> float:
        """What a new plan would save an hour, where it pays for the change; else 0.

        Takes a tenth of a second to seconds: not on a request's way.

        Args:
            now: on the clock of `take_history`.
            requests: that came so far, all in all.
        """
        rate = self._rate(now, requests)
        if self._recorded is None or not rate:
            return 0.0
        known, made = self._recorded, list[Proposal]()
        workload = replace(known.lengths, requests_per_second=rate)

        def propose(routing: Routing) -> Proposal:
            made.append(self._terms.proposal(routing, workload))
            return made[-1]

        found, watch = look(
            self._watch, known.usage, known.planned, now=now, propose=propose, knobs=self._knobs
        )
        if not isinstance(found, Replan):
            self._watch, self._pays = watch, False
            return 0.0
        # The watch stays as it was: as long as nobody applies the plan, it goes on to pay.
        saving = made[-1].saving_per_hour
        if not self._pays:
            self._say(found, saving)
        self._pays = True
        return saving

    def _say(self, found: Replan, saving: float) -> None:
        name, currency = self._terms.plan.architecture.name, self._terms.prices.currency
        _logger.info(
            "a new plan of %s would save %.3g %s an hour: %s", name, saving, currency, found.reason
        )

    def _rate(self, now: float, requests: int) -> float:
        """Requests a second over the latest looks; 0 before the second."""
        self._seen.append((now, requests))
        then, before = self._seen[0]
        return (requests - before) / (now - then) if now > then else 0.0


def _no_slower(service: Service, plan: Plan, routing: Routing) -> Slo:
    """What the plan in force keeps under this use, as a promise."""
    latency = service.estimate(plan, routing).latency
    return Slo(
        ttft_seconds=_SLACK * latency.ttft_at_percentile_seconds,
        tpot_seconds=_SLACK * latency.tpot_at_percentile_seconds,
        percentile=latency.percentile,
    )


def _counts_of_latest(history: ActivationHistory, requests: int) -> NDArray[np.float64]:
    """[n, layers, experts]. A prompt that came often counts once: when it came is not recorded."""
    counts = history.prefill[-requests:].astype(np.float64) + history.decode[-requests:]
    return counts if history.times is None else counts / history.times[-requests:, None, None]


def _planned(history: ActivationHistory, *, at: float) -> Planned:
    counts = _counts_of_latest(history, _PLANNED)
    weights = counts.sum(axis=(1, 2))
    # Without a history even use was assumed: that is no sample, and does not stray by chance.
    requests = weights.sum() ** 2 / (weights**2).sum() if weights.any() else math.inf
    return Planned(shares=distribution(counts.sum(axis=0)), requests=float(requests), at=at)


def _lengths(history: ActivationHistory) -> Workload:
    """Requests as long as those of late."""
    if not len(history):
        return Workload()
    times = np.ones(len(history)) if history.times is None else history.times
    prompts = np.maximum(np.rint(history.prompt_tokens / times)[-_LATEST:], 1)
    answers = np.maximum(np.rint(history.decode_tokens / times)[-_LATEST:], 1)
    return Workload(
        prompt_tokens=round(float(prompts.mean())),
        output_tokens=round(float(answers.mean())),
        max_prompt_tokens=int(prompts.max()),
        max_output_tokens=int(answers.max()),
    )
