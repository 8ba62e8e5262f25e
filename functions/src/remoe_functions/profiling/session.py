"""One main model and its functions, started for real, asked a script, and ended."""

from __future__ import annotations

import asyncio
import os
import secrets
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from remoe_functions.profiling.answered import Answered, parts_of, read_answer
from remoe_functions.profiling.script import Asked
from remoe_functions.runtime.errors import PartError
from remoe_functions.runtime.part import PartSpec
from remoe_functions.runtime.process import ProcessRuntime
from remoe_functions.runtime.state import PartKind, PartStatus, Replica
from remoe_planner.plan import Plan

MAIN = "main"
_START_SECONDS = 600.0
_ANSWER_SECONDS = 600.0
# A crowded machine must not turn calls into fallbacks.
_CALL_SECONDS = 60


class ProfileError(Exception):
    """The machine cannot be measured; says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What a session runs.

    Attributes:
        model: the checkpoint's folder.
        plan: where experts run.
        main_threads: threads of the main model.
        function_threads: threads of each function.
        max_context: tokens of the longest request.
        experts: file of quantized experts to serve; None for the checkpoint's own.
        device: cpu or cuda, for all but the routed experts.
    """

    model: Path
    plan: Plan
    main_threads: int
    function_threads: int = 1
    max_context: int = 2048
    experts: Path | None = None
    device: str = "cpu"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a session saw.

    Attributes:
        setting: what ran.
        answers: in the order asked.
        main: the main model's process.
        functions: the functions' processes, by name.
    """

    setting: Setting
    answers: tuple[Answered, ...]
    main: Replica
    functions: Mapping[str, Replica]


async def run_session(setting: Setting, requests: Sequence[Asked], repeats: int) -> Seen:
    """Start the parts, ask everything so many times, stop them.

    Raises:
        ProfileError: a part does not start, a request fails, or a function leaves its work undone.
    """
    with tempfile.TemporaryDirectory(prefix="remoe-profile-") as folder:
        place, token = Path(folder), secrets.token_urlsafe(16)
        (place / "plan.json").write_text(setting.plan.to_json())
        async with _running(_functions(setting, place, token), place) as functions:
            endpoints = {name: f"{r.host}:{r.port}" for name, r in functions.items()}
            async with _running((_main(setting, place, token, endpoints),), place) as started:
                main = started[MAIN]
                answers = await _ask_all(main, token, requests, repeats)
                # Looked at again: memory is what it is after the work.
                main = (await started.look())[MAIN]
            seen = await functions.look()
    return Seen(setting=setting, answers=answers, main=main, functions=seen)


class _Started(dict[str, Replica]):
    """Ready replicas by name, one of each part."""

    def __init__(self, runtime: ProcessRuntime, replicas: Mapping[str, Replica]) -> None:
        super().__init__(replicas)
        self._runtime = runtime

    async def look(self) -> dict[str, Replica]:
        """The same as they are now."""
        await asyncio.sleep(1.5)  # the runtime looks at memory once a second
        parts = (await self._runtime.snapshot()).parts
        return {name: parts[name].ready[0] for name in self if parts[name].ready}


@asynccontextmanager
async def _running(specs: Sequence[PartSpec], place: Path) -> AsyncIterator[_Started]:
    async with ProcessRuntime(specs, run_dir=place) as runtime:
        yield _Started(runtime, await _ready(runtime) if specs else {})


async def _ready(runtime: ProcessRuntime) -> dict[str, Replica]:
    try:
        async with asyncio.timeout(_START_SECONDS), aclosing(runtime.watch()) as snapshots:
            async for snapshot in snapshots:
                parts = snapshot.parts.values()
                if failed := [part for part in parts if part.last_failure]:
                    raise ProfileError(f"{failed[0].name} does not start: {_reason(failed[0])}")
                if all(part.awake for part in parts):
                    return {part.name: part.ready[0] for part in parts}
    except (TimeoutError, PartError) as error:
        raise ProfileError(f"the parts are not ready: {error!r}") from error
    raise ProfileError("the parts ended before they were ready")


def _reason(part: PartStatus) -> str:
    return " ".join((part.last_failure or "it said nothing").split())


async def _ask_all(
    main: Replica, token: str, requests: Sequence[Asked], repeats: int
) -> tuple[Answered, ...]:
    headers = {"Authorization": f"Bearer {token}"}
    url = f"http://{main.host}:{main.port}"
    try:
        async with httpx.AsyncClient(base_url=url, headers=headers, timeout=_ANSWER_SECONDS) as to:
            await _ask(to, requests[-1])  # what is only slow once is not measured
            answers = [await _ask(to, asked) for _ in range(repeats) for asked in requests]
    except (httpx.HTTPError, ValueError, KeyError) as error:
        raise ProfileError(f"the main model could not be asked: {error!r}") from error
    if lost := sum(answer.fallbacks for answer in answers):
        raise ProfileError(f"functions left {lost} pairs undone: the machine is too busy")
    return tuple(answers)


async def _ask(client: httpx.AsyncClient, asked: Asked) -> Answered:
    body = {
        "request_id": secrets.token_hex(8),
        "prompt": list(asked.prompt),
        "max_tokens": asked.steps + 1,
        "temperature": 0.0,
        "ignore_eos": True,
        "report_routing": True,
    }
    before = parts_of((await client.get("/metrics")).text)
    lines: list[str] = []
    times: list[float] = []
    began = time.perf_counter()
    async with client.stream("POST", "/generate", json=body) as answer:
        answer.raise_for_status()
        async for line in answer.aiter_lines():
            lines.append(line)
            if line.startswith('{"token"'):
                times.append(time.perf_counter() - began)
    after = parts_of((await client.get("/metrics")).text)
    spent = {part: after[part] - before[part] for part in after}
    return read_answer(lines, tuple(times), spent)


def _main(setting: Setting, place: Path, token: str, endpoints: Mapping[str, str]) -> PartSpec:
    where = [word for name, at in endpoints.items() for word in ("--endpoint", f"{name}={at}")]
    bounds = (
        "--device",
        setting.device,
        "--max-context",
        setting.max_context,
        "--call-seconds",
        _CALL_SECONDS,
    )
    return _part(
        MAIN,
        PartKind.MAIN,
        ("main", *_model(setting, place), *bounds, "--drain-seconds", 5, *where),
        _environment(token, setting.main_threads),
    )


def _functions(setting: Setting, place: Path, token: str) -> tuple[PartSpec, ...]:
    environment = _environment(token, setting.function_threads)
    environment["REMOE_CPUS"] = str(setting.function_threads)
    return tuple(
        _part(
            function.name,
            PartKind.FUNCTION,
            ("expert", *_model(setting, place), "--function", function.name, "--drain-seconds", 5),
            environment,
        )
        for function in setting.plan.functions
    )


def _model(setting: Setting, place: Path) -> tuple[object, ...]:
    own = () if setting.experts is None else ("--experts", setting.experts.resolve())
    return ("--model", setting.model.resolve(), *own, "--plan", place / "plan.json")


def _part(
    name: str, kind: PartKind, words: Sequence[object], environment: Mapping[str, str]
) -> PartSpec:
    package, *arguments = words
    # -P: modules that happen to lie in the working directory must not shadow real ones.
    command = (sys.executable, "-P", "-m", f"remoe_functions.{package}", *map(str, arguments))
    return PartSpec(
        name=name,
        kind=kind,
        argv=command,
        env=environment,
        min_replicas=1,
        keep_alive_seconds=None,
        startup_seconds=_START_SECONDS,
        drain_seconds=10.0,
    )


def _environment(token: str, threads: int) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.endswith("_TOKEN")}
    return kept | {
        "REMOE_FUNCTION_TOKEN": token,
        "OMP_NUM_THREADS": str(threads),
        "PYTHONUNBUFFERED": "1",
    }
