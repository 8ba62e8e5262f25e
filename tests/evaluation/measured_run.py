"""A contender carried out: its prompts one after the other, with rests in which parts fall asleep.

Everything sleeps before the first prompt. Then each is sent as soon as the one before it is
answered, but for a few rests: some long enough for functions to sleep, some for the main model too.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import httpx
from evaluation.measured_asking import put
from evaluation.measured_plans import (
    FUNCTION_KEEP_ALIVE_SECONDS,
    MAIN_KEEP_ALIVE_SECONDS,
    Served,
)
from evaluation.measured_watch import Watch
from prometheus_client.parser import text_string_to_metric_families

from remoe_functions.cli.client import connected
from remoe_functions.cli.service import Service, running
from remoe_functions.runtime.control_client import ControlClient
from remoe_functions.runtime.state import PartKind, Snapshot
from remoe_functions.source.source import Source

EVERYTHING, FUNCTIONS = "everything asleep", "functions asleep"
RESTS = {0: EVERYTHING, 10: FUNCTIONS, 20: EVERYTHING, 30: FUNCTIONS, 40: FUNCTIONS}
_MORE_SECONDS = 2.0
_BOUND_SECONDS = 240.0

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """What every contender is asked."""

    source: Source
    prompts: Sequence[str]
    tokens: int
    history: Path


async def carried_out(contender: Served, asking: Asking, say: Say) -> dict[str, Any]:
    """Serve, ask, watch and stop; everything seen, as JSON-able values.

    Raises:
        CommandError: the service does not start, or refuses a prompt.
    """
    with tempfile.TemporaryDirectory() as folder:
        options = options_of(contender, asking, Path(folder))
        async with (
            running(asking.source.directory, asking.source.name, *options) as service,
            connected(service.url) as client,
            ControlClient(service.control) as runtime,
        ):
            await runtime.scale("main", 0)
            await asleep(service, EVERYTHING)
            before, began = await service.snapshot(), time.monotonic()
            async with Watch.over(service) as watch:
                requests = await _put_all(contender, asking, service, client, say)
                await asleep(service, EVERYTHING)
            after, ended = await service.snapshot(), time.monotonic()
            counted = await counts(service)
    return {
        "name": str(contender.name),
        "began": began,
        "seconds": ended - began,
        "requests": requests,
        "timeline": watch.samples,
        "starts": watch.starts,
        "awake_seconds": {
            name: part.awake_seconds - before.parts[name].awake_seconds
            for name, part in after.parts.items()
        },
        "wakes": {n: p.wakes - before.parts[n].wakes for n, p in after.parts.items()},
        "counts": counted,
    }


def options_of(contender: Served, asking: Asking, folder: Path) -> list[str]:
    """What `remoe serve` is told; every contender learns from a copy of the same history."""
    plan = folder / "plan.json"
    plan.write_text(contender.plan.to_json(), "utf-8")
    options = ["--plan", str(plan), "--idle-timeout", str(MAIN_KEEP_ALIVE_SECONDS)]
    if not contender.forecasts:
        return [*options, "--no-keep-history"]
    history = folder / "history"
    shutil.copytree(asking.history, history)
    return [*options, "--history", str(history)]


async def _put_all(
    contender: Served, asking: Asking, service: Service, client: Any, say: Say
) -> list[dict[str, Any]]:
    found = []
    for number, prompt in enumerate(asking.prompts[: contender.prompts]):
        rested = RESTS.get(number)
        if rested and number:
            await rest(service, contender, rested)
        there = await service.snapshot()
        asked = await put(client, service.model, prompt, asking.tokens)
        found.append(asdict(asked) | {"request": number, "rested": rested} | _seen(there))
        say(
            f"{contender.name}: {number + 1} of {len(asking.prompts[: contender.prompts])}, "
            f"first token after {asked.ttft_seconds:.2f} s, then {_ms(asked.tpot_seconds)} a token"
        )
    return found


async def rest(service: Service, contender: Served, what: str) -> None:
    """Wait until so much sleeps; the same time for those that have nothing to put to sleep."""
    if what == FUNCTIONS and not contender.plan.functions:
        await asyncio.sleep(FUNCTION_KEEP_ALIVE_SECONDS + _MORE_SECONDS)
        return
    await asleep(service, what)


async def asleep(service: Service, what: str) -> None:
    """Wait until functions, or all but the gateway, are gone; a bounded while."""
    with suppress(TimeoutError):
        async with asyncio.timeout(_BOUND_SECONDS):
            while _replicas(await service.snapshot(), what):
                await asyncio.sleep(0.25)


async def counts(service: Service) -> dict[str, float]:
    """What the gateway counted of forecasts, by name and label."""
    async with httpx.AsyncClient(trust_env=False, timeout=30) as http:
        text = (await http.get(f"{service.url.removesuffix('/v1')}/metrics")).text
    wanted = ("remoe:functions_needed_total", "remoe:wakes_judged_total", "remoe:forecast")
    return {
        " ".join([sample.name, *(v for k, v in sample.labels.items() if k != "model_name")]): (
            sample.value
        )
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name.startswith(wanted) and "le" not in sample.labels
    }


def _replicas(snapshot: Snapshot, what: str) -> int:
    kinds = (PartKind.FUNCTION,) if what == FUNCTIONS else (PartKind.FUNCTION, PartKind.MAIN)
    return sum(len(part.replicas) for kind in kinds for part in snapshot.of_kind(kind))


def _seen(snapshot: Snapshot) -> dict[str, Any]:
    """What there was when a request came."""
    functions = snapshot.of_kind(PartKind.FUNCTION)
    return {
        "main_asleep": not any(part.awake for part in snapshot.of_kind(PartKind.MAIN)),
        "functions_there": [part.name for part in functions if part.awake],
    }


def _ms(seconds: float | None) -> str:
    return "nothing" if seconds is None else f"{1e3 * seconds:.1f} ms"
