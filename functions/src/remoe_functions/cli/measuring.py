"""A whole profile: the parts by themselves, then the service through its front door."""

from __future__ import annotations

import asyncio
import os
import platform
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from openai import AsyncOpenAI

from remoe_functions.cli.asking import Answer, Asking, ask
from remoe_functions.cli.client import connected
from remoe_functions.cli.failure import CommandError
from remoe_functions.cli.planning import architecture_of
from remoe_functions.cli.service import running
from remoe_functions.profiling.measure import Profiling, measure
from remoe_functions.profiling.script import Script
from remoe_functions.profiling.session import ProfileError
from remoe_functions.sample_prompts.prompts import sample_prompts
from remoe_functions.source.source import Source
from remoe_planner.hardware.curve import Curve
from remoe_planner.hardware.profile import HardwareProfile
from remoe_planner.memory import GIB
from remoe_planner.plan import Plan
from remoe_planner.resident import plan_resident

_STEPS = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class FrontDoor:
    """What a request takes outside of the main model's passes.

    Attributes:
        request_seconds: once, until its caller has the first token.
        step_seconds: for each further token.
    """

    request_seconds: float
    step_seconds: float


def measured_profile(
    source: Source,
    *,
    plan: Plan | None,
    quick: bool,
    say: Callable[[str], None],
    experts: Path | None = None,
    device: str = "auto",
) -> HardwareProfile:
    """Measure this machine with a model, and with quantized experts where a file of them is given.

    Raises:
        CommandError: a part did not start, or did not do its work.
    """
    cores = os.cpu_count() or 1
    try:
        profiling = Profiling(
            model=source.directory,
            cores=cores,
            name=_machine(cores),
            source=_how(quick),
            script=Script.quick() if quick else Script(),
            function_threads=(1,) if quick or cores == 1 else (1, min(cores, 4)),
            plan=plan,
            experts=experts,
            device=_device(device),
        )
        found = asyncio.run(measure(profiling, say))
    except (ProfileError, ValueError) as error:
        raise CommandError(str(error)) from error
    say("the front door")
    door = asyncio.run(front_door(source, profiling, prompts=2 if quick else 4))
    return behind(found, door)


def behind(profile: HardwareProfile, door: FrontDoor) -> HardwareProfile:
    """The profile of a main model that is asked through a front door."""
    step = Curve.constant(max(door.step_seconds, float(profile.step.at(1))))
    alone = profile.alone and replace(profile.alone, step=step)
    return replace(profile, request_seconds=door.request_seconds, step=step, alone=alone)


async def front_door(source: Source, profiling: Profiling, *, prompts: int) -> FrontDoor:
    """Ask a whole service for one token, and for several.

    Every answer says how long the main model's passes took; what its caller waited for beyond
    them is the front door, the way there and back, and what lies between two passes.
    """
    texts = [prompt.text for prompt in sample_prompts()[:prompts]]
    with tempfile.TemporaryDirectory(prefix="remoe-profile-") as folder:
        plan = plan_resident(architecture_of(source.directory, profiling.experts))
        file = Path(folder) / "plan.json"
        file.write_text(plan.to_json(), "utf-8")
        # Without a history the gateway forecasts nothing, and forgets nothing it should keep.
        options = ["--plan", str(file), "--no-keep-history", "--device", profiling.device]
        options += [] if profiling.experts is None else ["--experts", str(profiling.experts)]
        async with (
            running(source.directory, source.name, *options) as service,
            connected(service.url) as client,
        ):
            first = Asking(model=service.model, max_tokens=1, ignore_eos=True)
            more = replace(first, max_tokens=1 + _STEPS)
            await _ask_all(client, more, texts[:1])  # what is only slow once is not measured
            once = median(_beside(a, plan) for a in await _ask_all(client, first, texts))
            whole = median(_beside(a, plan) for a in await _ask_all(client, more, texts))
    return FrontDoor(request_seconds=max(once, 0.0), step_seconds=max(whole - once, 0.0) / _STEPS)


async def _ask_all(client: AsyncOpenAI, asking: Asking, texts: Sequence[str]) -> list[Answer]:
    return [await ask(client, asking, [{"role": "user", "content": text}]) for text in texts]


def _beside(answer: Answer, plan: Plan) -> float:
    """Seconds of an answer that were not the main model's passes."""
    if answer.receipt is None:
        raise CommandError("the service gives no account of its answers")
    passes = answer.receipt.main_gib_seconds / (plan.main_memory_bytes / GIB)
    return answer.elapsed_seconds - passes


def _device(name: str) -> str:
    """Where the main model will compute; torch is asked only where there might be a GPU."""
    if name != "auto" or not Path("/dev/nvidiactl").exists():
        return "cpu" if name == "auto" else name
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def _machine(cores: int) -> str:
    return f"{_processor()}, {cores} core{'s' * (cores > 1)}"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())


def _how(quick: bool) -> str:
    load = f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown"
    extent = "few repeats" if quick else "medians of repeats"
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    return f"remoe profile, {now}, {extent}, files in the page cache, load before it {load}"
