"""A point at which contenders are compared: lengths, prices, promise, grid, network and load.

Everything that section 3 varies stands here, and what it holds fast where it varies something
else. Which model and machine, whose requests, and how tables are made of it does not belong here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from remoe_planner.architecture import Architecture
from remoe_planner.billing import Billing
from remoe_planner.demand.routing import Routing
from remoe_planner.demand.slo import Slo
from remoe_planner.demand.workload import Workload
from remoe_planner.memory import GIB, MIB
from remoe_planner.offerings import MemoryGrid, Offerings
from remoe_planner.prices import Prices
from remoe_simulator.contenders.paper import paper_offerings
from remoe_simulator.contenders.setting import Network, Setting, Sizing
from remoe_simulator.machines import Hardware

WIDE_FUNCTIONS = MemoryGrid(least_bytes=128 * MIB, most_bytes=10_240 * MIB, step_bytes=64 * MIB)
"""What AWS Lambda rents, in larger steps."""
WIDE_MAIN = MemoryGrid(least_bytes=100 * MIB, most_bytes=2048 * GIB)
CALL_USD = 0.20e-6
"""AWS Lambda's list price of a request."""
NEVER_SECONDS = 1e7


class Grid(StrEnum):
    """Sizes of memory on offer."""

    WIDE = "up to 10 GiB"
    PAPER = "the paper"


@dataclass(frozen=True, kw_only=True)
class Load:
    """How requests come, and what is kept between them.

    Attributes:
        name: as tables call it.
        requests_per_second: a mean.
        main_keep_alive_seconds: of an idle main model; None keeps it always.
        function_keep_alive_seconds: of an idle replica.
    """

    name: str
    requests_per_second: float
    main_keep_alive_seconds: float | None = 300.0
    function_keep_alive_seconds: float = 60.0


WARM = Load(
    name="warm",
    requests_per_second=1e-4,
    main_keep_alive_seconds=None,
    function_keep_alive_seconds=NEVER_SECONDS,
)
"""As the paper counts: nothing sleeps, only work is paid for, and no request meets another."""


@dataclass(frozen=True, kw_only=True)
class Point:
    """One of them; the defaults are the centre.

    Attributes:
        prompt_tokens: of every request.
        output_tokens: of every answer, the first token included.
        price_ratio: of GPU memory to other memory (c_g / c_c).
        slo_multiple: promised TTFT and TPOT over those of MIX; None promises nothing.
        grid: sizes on offer.
        billing: what plans are made cheapest under.
        load: how requests come.
        network: how far away functions are; None: as in the profile.
        call_usd: fee of a call.
        longest: prompt and answer that the promise holds for; None: all are of one length.
    """

    prompt_tokens: int = 125
    output_tokens: int = 200
    price_ratio: float = 3.0
    slo_multiple: float | None = 1.5
    grid: Grid = Grid.WIDE
    billing: Billing = Billing.BUSY
    load: Load = WARM
    network: Network | None = None
    call_usd: float = 0.0
    longest: tuple[int, int] | None = None

    @property
    def workload(self) -> Workload:
        steps = max(self.output_tokens - 1, 1)
        most_prompt, most_output = self.longest or (self.prompt_tokens, self.output_tokens)
        return Workload(
            prompt_tokens=self.prompt_tokens,
            output_tokens=steps,
            max_prompt_tokens=max(most_prompt, self.prompt_tokens),
            max_output_tokens=max(most_output - 1, steps),
            requests_per_second=self.load.requests_per_second,
        )

    def offerings(self, architecture: Architecture) -> Offerings:
        offered = paper_offerings(architecture, price_ratio=self.price_ratio, billing=self.billing)
        wide = {"function_memory": WIDE_FUNCTIONS, "main_memory": WIDE_MAIN}
        return replace(
            offered,
            prices=replace(offered.prices, call=self.call_usd),
            main_keep_alive_seconds=self.load.main_keep_alive_seconds,
            function_keep_alive_seconds=self.load.function_keep_alive_seconds,
            **(wide if self.grid is Grid.WIDE else {}),
        )

    def prices(self, architecture: Architecture) -> Prices:
        return self.offerings(architecture).prices

    def setting(self, architecture: Architecture, machine: Hardware, routing: Routing) -> Setting:
        """Without promises: those are told by what MIX reaches here."""
        return Setting(
            architecture=architecture,
            machine=machine,
            routing=routing,
            workload=self.workload,
            slo=Slo(),
            offerings=self.offerings(architecture),
            network=self.network,
            sizing=Sizing.CHEAPEST,
        )
