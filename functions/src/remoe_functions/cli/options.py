"""Options that several commands share, with one wording."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from remoe_planner.grouping import Grouping

Model = Annotated[
    str,
    Argument(metavar="MODEL", help="A checkpoint folder, or hf://org/name[@revision]."),
]
Experts = Annotated[
    str,
    Option(
        metavar="stored|q8|q4|FILE",
        help="Experts as the checkpoint stores them, or in 8 or 4 bits (see `remoe quantize`).",
    ),
]
RemoteShare = Annotated[
    float, Option(min=0, max=1, help="Share of all experts that leaves the main model.")
]
Functions = Annotated[int, Option(min=1, help="Expert functions at most (grouped by use).")]
GroupBy = Annotated[
    Grouping, Option(help="Remote experts share a function by similar use, or by layer.")
]
Replicas = Annotated[int, Option(min=1, help="Replicas of each function at most.")]
KeepAlive = Annotated[
    float, Option(min=0, help="Seconds that an idle function stays awake.", metavar="SECONDS")
]
History = Annotated[
    Path | None,
    Option(
        file_okay=False,
        help="Folder of the activation history.",
        show_default="by the model's name, in $REMOE_HOME or the user's cache",
    ),
]
PricesFile = Annotated[
    Path | None,
    Option(dir_okay=False, help="Price list (TOML).", show_default="a public list, see the README"),
]
Json = Annotated[bool, Option("--json", help="Print JSON for scripts.")]
Url = Annotated[str, Option(envvar="REMOE_URL", help="Base address of the service.")]
Key = Annotated[
    str,
    Option(envvar="REMOE_API_KEY", help="API key.", show_default=False, show_envvar=True),
]
