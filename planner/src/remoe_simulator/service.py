"""Everything that serves a day, put together: front door, main model, functions, fast loop."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from remoe_planner.estimating.placed import Placed
from remoe_planner.forecasting.after_prefill import AfterPrefill
from remoe_planner.offerings import Offerings
from remoe_simulator.agenda import Agenda, Event, Happening
from remoe_simulator.arrivals import Arrivals
from remoe_simulator.contender import Contender, Waking
from remoe_simulator.day import Day, Served
from remoe_simulator.engine import Engine
from remoe_simulator.fleet import Fleet
from remoe_simulator.foresight import Foresight
from remoe_simulator.main_model import MainModel
from remoe_simulator.meter import Meter
from remoe_simulator.pass_clock import PassClock
from remoe_simulator.passes import Passes
from remoe_simulator.sequence import Sequence
from remoe_simulator.simulated_request import SimulatedRequest


class Service:
    """One contender at work.

    Attributes:
        agenda: what happens next.
    """

    def __init__(
        self,
        contender: Contender,
        *,
        seed: int,
        max_running: int,
        after_prefill: AfterPrefill | None,
    ) -> None:
        plan = contender.plan
        self.agenda = Agenda()
        self._contender, self._seed = contender, seed
        self._meter = Meter(plan=plan)
        profile = contender.profile.of_main(functions=bool(plan.functions))
        placed = Placed.of(plan, Offerings(prices=contender.prices))
        self._clock = PassClock(placed, profile, payload_bytes=contender.payload_bytes)
        self._main = MainModel(
            start_seconds=profile.main_start.of(placed.local_weight_bytes),
            keep_alive_seconds=contender.main_keep_alive_seconds,
            agenda=self.agenda,
            meter=self._meter,
        )
        self._fleet = Fleet(plan, placed, profile, agenda=self.agenda, meter=self._meter)
        self._foresight = Foresight(
            contender, self._fleet, agenda=self.agenda, after_prefill=after_prefill
        )
        self._passes = Passes(
            self._clock,
            self._fleet,
            profile,
            touch_seconds=plan.architecture.expert_bytes / profile.main_start.bytes_per_second,
            agenda=self.agenda,
        )
        self._engine = Engine(
            self._passes,
            max_running=max_running,
            agenda=self.agenda,
            on_prefilled=self._prefilled,
            on_retired=self._retired,
        )
        self._turns: Iterator[float] | None = None
        self._in_service: dict[str, Sequence] = {}
        self._at_the_door: list[str] = []
        self._served: list[Served] = []
        self._handlers: Mapping[Happening, Callable[[Event], None]] = {
            Happening.REPLICA_READY: lambda e: self._fleet.became_ready(e.name, e.replicas),
            Happening.MAIN_READY: lambda _: self._main_ready(),
            Happening.ARRIVAL: lambda e: self._arrived(self._arrivals.take(e.name)),
            Happening.JOIN: lambda e: self._joined(self._in_service[e.name]),
            Happening.WAKE_FORETOLD: lambda e: self._woken_early(e.name, e.replicas),
            Happening.WAKE_CALLED: lambda e: self._fleet.wake(e.name),
            Happening.TURN: lambda _: self._go_on(),
            Happening.REPLICA_IDLE: lambda e: self._fleet.look_whether_idle(e.name),
            Happening.MAIN_IDLE: lambda _: self._main.look_whether_idle(
                requests=len(self._in_service)
            ),
        }

    def expect(self, requests: Iterable[SimulatedRequest], *, until_seconds: float | None) -> None:
        """Take these as they come."""
        self._arrivals = Arrivals(
            requests,
            self._contender.plan.architecture,
            agenda=self.agenda,
            horizon_seconds=until_seconds,
        )

    @property
    def is_quiet(self) -> bool:
        """Whether nobody is served and nobody is expected."""
        return not self._in_service and not self._arrivals.expected

    def deal_with(self, event: Event) -> None:
        """Let the part that it concerns deal with it."""
        self._handlers[event.kind](event)

    def day(self, horizon_seconds: float | None) -> Day:
        """What came of it."""
        last = max((one.finished_seconds for one in self._served), default=0.0)
        end = max(last, horizon_seconds or 0.0, self._meter.changed_seconds)
        self._meter.close(end)
        self._served.sort(key=lambda one: (one.arrival_seconds, one.name))
        prices = self._contender.prices
        busy = self._passes.total.bill(self._contender.plan, prices)
        return Day(
            served=tuple(self._served),
            seconds=end,
            busy=busy,
            awake=self._meter.awake(prices, calls=busy.calls),
            starting=self._meter.starting(prices),
            timeline=tuple(self._meter.timeline),
            main_starts=self._main.starts,
            function_starts=self._fleet.starts,
            early_starts=self._fleet.early_starts,
            early_used=self._fleet.early_used,
        )

    def _arrived(self, request: SimulatedRequest) -> None:
        """Call whoever will be needed; the request goes through the front door meanwhile."""
        sequence = Sequence.of(
            request,
            self._clock.layout,
            seed=self._seed,
            functions=len(self._contender.plan.functions),
            waited=not self._main.ready,
        )
        self._in_service[request.name] = sequence
        self._main.call()
        if self._contender.waking is Waking.FORECAST:
            ready_in = self._main.ready_in_seconds
            self._foresight.arrived(request, main_ready_in_seconds=ready_in)
        if self._main.ready:
            self._let_in(request.name)
        else:
            self._at_the_door.append(request.name)

    def _woken_early(self, function: str, replicas: int) -> None:
        self._foresight.begun(function)
        self._fleet.wake(function, replicas=replicas, early=True)

    def _main_ready(self) -> None:
        self._main.became_ready()
        waiting, self._at_the_door = self._at_the_door, []
        for name in waiting:
            self._let_in(name)

    def _let_in(self, name: str) -> None:
        after = self._contender.profile.request_seconds
        self.agenda.put(self.agenda.now + after, Happening.JOIN, name)

    def _joined(self, sequence: Sequence) -> None:
        self._engine.waiting.append(sequence)
        if self._turns is None:
            self._turns = self._engine.turns()
            self.agenda.put(self.agenda.now, Happening.TURN)

    def _go_on(self) -> None:
        """The main model's next pass, or rest."""
        if self._turns is None:
            return
        seconds = next(self._turns, None)
        if seconds is None:
            self._turns = None
        else:
            self.agenda.put(self.agenda.now + seconds, Happening.TURN)

    def _prefilled(self, sequence: Sequence) -> None:
        if self._contender.waking is Waking.FORECAST:
            self._foresight.prefilled(sequence.request)

    def _retired(self, sequence: Sequence) -> None:
        del self._in_service[sequence.request.name]
        self._foresight.served(sequence)
        self._served.append(sequence.served(self._contender.plan, self._contender.prices))
        if not self._in_service:
            self._main.rest()
