"""The options of `remoe plan` and its subcommands."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

from typer import Option

from remoe_functions.cli.duration import duration
from remoe_planner.billing import Billing


class PlanMethod(StrEnum):
    """How the plan is made; the planner's own names."""

    AUTO = "auto"
    MARGINAL = "marginal"
    PRINTED = "printed"
    LEAST_USED = "least-used"


Ttft = Annotated[
    float | None,
    Option(parser=duration, metavar="DURATION", help="Promise: time to first token, such as 2s."),
]
Tpot = Annotated[
    float | None,
    Option(
        parser=duration, metavar="DURATION", help="Promise: time per output token, such as 100ms."
    ),
]
Percentile = Annotated[
    float, Option(min=1, max=99.9, help="Percent of requests that must stay inside the promises.")
]
MethodOption = Annotated[
    PlanMethod,
    Option(
        help="auto: marginal where a latency is promised or this machine's profile is known, "
        "otherwise least-used.",
    ),
]
WorkloadFile = Annotated[
    Path | None,
    Option(
        dir_okay=False,
        help="Requests to expect (TOML): prompt_tokens, output_tokens, requests_per_second, ...",
        show_default="as recorded, one a minute",
    ),
]
ProfileFile = Annotated[
    Path | None,
    Option(
        dir_okay=False,
        help="Hardware profile (JSON).",
        show_default="what `remoe profile` measured here",
    ),
]
BillingOption = Annotated[
    Billing, Option(help="Made cheapest for: paying while awake (pods), or while busy only.")
]
MainKeepAlive = Annotated[
    float, Option(min=0, metavar="SECONDS", help="Seconds that an idle main model stays awake.")
]
Picture = Annotated[
    Path | None,
    Option(help="Also draw it, as PATH.svg and PATH.png.", metavar="PATH", dir_okay=False),
]
MostFunctions = Annotated[
    int | None,
    Option(min=1, help="Expert functions at most.", show_default="as many as pay; 4 by use alone"),
]
MaxBatch = Annotated[
    int, Option(min=1, help="Requests that the main model decodes together, at most.")
]
RemoteShare = Annotated[
    float | None,
    Option(
        min=0,
        max=1,
        help="Plan by use alone: this share of all experts leaves the main model.",
        show_default="0.5 where nothing is known of cost",
    ),
]
PlanToExplain = Annotated[
    Path | None, Option(dir_okay=False, help="The plan to explain, instead of one made now.")
]
Output = Annotated[Path | None, Option(dir_okay=False, help="Also write the plan (JSON) here.")]
Before = Annotated[Path | None, Option(dir_okay=False, help="Show what changes from this plan.")]
CoresPerGib = Annotated[
    float | None,
    Option(
        min=0.001,
        help="Cores that come with a GiB of a function's memory, where memory buys cores.",
        show_default="a core for each function, as `remoe serve` gives",
    ),
]
