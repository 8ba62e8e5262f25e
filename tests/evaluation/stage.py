"""One model on one machine, ready to be played: who may see what, what is promised, who serves.

Plans and promises come from one side of the texts, requests from the other; all contenders serve
the same requests. A day that was simulated once is kept, since most contenders do not change with
prices and promises.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from evaluation.azure import steady
from evaluation.foretold import Belief, foretold
from evaluation.playing import billed_at, played
from evaluation.point import Point
from evaluation.requested import recorded, requests_in
from evaluation.traces import sides, trace_for

from remoe_planner.demand.routing import Routing
from remoe_planner.demand.slo import Slo
from remoe_simulator.contenders.resident import mixed
from remoe_simulator.contenders.setting import Setting
from remoe_simulator.machines import H100_NODE, PAPER_SERVER, PREFILL_CHUNK
from remoe_simulator.models import MODELS
from remoe_simulator.simulate import simulate

SEED = 8
MACHINES = {"paper-server": PAPER_SERVER, "h100-node": H100_NODE}
STATED = "stated: " + "; ".join(
    f"{name}: {machine.main.name} and {machine.experts.name}, {machine.source}"
    for name, machine in MACHINES.items()
)
APART_SECONDS = 7200.0
"""Between requests that shall not meet."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Stage:
    """A model, by its name in `MODELS`, on a machine, by its name in `MACHINES`.

    `learned` requests of the train side make the routing that plans are told, `tried` of them MIX's
    latency; `cache` keeps fitted forecasters.
    """

    data: Path
    model: str
    machine: str = "paper-server"
    seed: int = SEED
    learned: int = 200
    tried: int = 40
    cache: Path | None = None
    _kept: dict = field(default_factory=dict)

    @cached_property
    def architecture(self):
        return MODELS[self.model]

    @cached_property
    def trace(self):
        return trace_for(self.data, self.architecture)

    @cached_property
    def sides(self):
        return sides(self.trace, self.seed)

    @property
    def about(self):
        """The columns that say which stage a row is from."""
        real = self.trace.resizing is None
        return {
            "model": self.model,
            "machine": self.machine,
            "routing": "real prompts, resampled answers" if real else "resampled",
            "profile": "stated",
        }

    def setting(self, point: Point) -> Setting:
        """What contenders are made from, its promises multiples of what MIX reaches."""
        routing = self._once(("routing", *lengths(point)), lambda: self._routing(point))
        setting = point.setting(self.architecture, MACHINES[self.machine], routing)
        if point.slo_multiple is None:
            return setting
        ttft, tpot = self._once(
            ("mix", *lengths(point), point.load), lambda: self._mix(setting, point)
        )
        times = point.slo_multiple
        return replace(setting, slo=Slo(ttft_seconds=times * ttft, tpot_seconds=times * tpot))

    def requests(self, arrivals, belief=None):
        """Of the test side, drawn one by one; without forecasts where nobody asks for them."""
        forecast = None if belief is None else self._once(belief, lambda: self._forecast(belief))
        return self._drawn(self.sides.test, arrivals, forecast=forecast)

    def learned_requests(self, arrivals):
        """Of the train side: what may be looked at before the day."""
        return self._drawn(self.sides.train, arrivals, more=1)

    def day(self, contender, arrivals, *, belief=None, horizon_seconds=None):
        """The contender's day, billed at its own prices."""
        day = self._once(
            (played(contender), arrivals.said, belief, horizon_seconds),
            lambda: simulate(
                contender,
                self.requests(arrivals, belief),
                seed=self.seed,
                horizon_seconds=horizon_seconds,
            ),
        )
        return billed_at(day, contender.prices)

    def _routing(self, point):
        arrivals = _apart(self.learned, point)
        return Routing.of(recorded(self._drawn(self.sides.train, arrivals)))

    def _mix(self, setting, point):
        """TTFT and TPOT that MIX keeps for 95 % of the train side's requests under this load."""
        arrivals = arriving(self.tried, point, self.seed)
        day = simulate(mixed(setting), self.learned_requests(arrivals), seed=self.seed)
        return day.ttft_seconds(0.95) * ROOM, day.tpot_seconds(0.95) * ROOM

    def _forecast(self, belief):
        return foretold(self.trace, self.sides, Belief(belief), cache=self.cache)

    def _drawn(self, texts, arrivals, *, forecast=None, more=0):
        return requests_in(
            self.trace,
            texts,
            arrivals,
            seed=self.seed + more,
            chunk_tokens=PREFILL_CHUNK,
            forecast=forecast,
        )

    def _once(self, key, made):
        if key not in self._kept:
            self._kept[key] = made()
        return self._kept[key]


def lengths(point):
    return point.prompt_tokens, point.output_tokens


def _apart(count, point):
    prompt, output = lengths(point)
    return steady(count, prompt_tokens=prompt, output_tokens=output, seconds_apart=APART_SECONDS)


def arriving(count, point, seed):
    """Requests of a point as its load has them: by chance, or one by one where nothing sleeps."""
    if point.load.main_keep_alive_seconds is None:
        return _apart(count, point)
    prompt, output = lengths(point)
    rate = point.load.requests_per_second
    pauses = np.random.default_rng(seed).exponential(1 / rate, count)
    return replace(
        _apart(count, point),
        seconds=np.cumsum(pauses),
        said=f"{count} requests of {prompt}:{output} tokens by chance, {rate:g}/s",
    )


ROOM = 1.01
"""Of what MIX was seen to reach, so that it keeps its own latency on other texts."""
