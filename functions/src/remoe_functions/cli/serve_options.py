"""The options of `remoe serve` alone; those it shares with other commands are in `options`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

from typer import Option


class Dtype(StrEnum):
    """What the main model computes in."""

    AUTO = "auto"
    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"


class Device(StrEnum):
    """Where the main model computes."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"


PlanFile = Annotated[
    Path | None,
    Option(dir_okay=False, help="Plan to carry out, instead of one made from the options."),
]
IdleTimeout = Annotated[
    float | None,
    Option(min=0, metavar="SECONDS", help="Let the idle main model sleep after so long."),
]
Host = Annotated[str, Option(help="Address to listen on.")]
Port = Annotated[int, Option(min=0, max=65535, help="Port; 0 takes a free one.")]
Name = Annotated[
    str | None, Option(help="What clients call the model.", show_default="the model's own name")
]
KeepHistory = Annotated[bool, Option(help="Record activations, and forecast from them.")]
MaxBatch = Annotated[int, Option(min=1, help="Requests decoded together.")]
MaxContext = Annotated[
    int | None, Option(min=1, help="Tokens of prompt and answer.", show_default="the model's")
]
RunDir = Annotated[
    Path | None,
    Option(file_okay=False, help="Folder for logs and control socket.", show_default="temporary"),
]
DtypeOption = Annotated[Dtype, Option(help="Precision of the main model.")]
DeviceOption = Annotated[Device, Option(help="Device of the main model.")]
