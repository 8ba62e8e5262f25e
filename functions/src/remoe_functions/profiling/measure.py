"""The sessions, in order, and the profile that they make."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median

import numpy as np

from remoe_functions.checkpoint.checkpoint import Checkpoint
from remoe_functions.checkpoint.config import positive, read_config
from remoe_functions.profiling.call_time import call_time, overlap
from remoe_functions.profiling.main_time import Mask, busy, expert_time, expert_totals, main_time
from remoe_functions.profiling.residual import step_ratio
from remoe_functions.profiling.script import Script
from remoe_functions.profiling.session import Seen, Setting, run_session
from remoe_functions.profiling.typical import Typical, typical_of
from remoe_functions.runtime.state import Replica
from remoe_planner.architecture import Architecture
from remoe_planner.hardware.expert_time import ExpertTime
from remoe_planner.hardware.profile import HardwareProfile, StartTime
from remoe_planner.memory import MemoryModel
from remoe_planner.plan import FunctionPlan, Plan

Say = Callable[[str], None]
_WIRE_BYTES = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Profiling:
    """What is measured.

    Attributes:
        model: the checkpoint's folder.
        experts: file of quantized experts to serve; None for the checkpoint's own.
        device: cpu or cuda, for all but the routed experts.
        cores: cores that all parts share.
        name: what the machine is called in the profile.
        source: how and when it was measured.
        script: what is asked.
        function_threads: threads of a function, one curve for each.
        plan: measured where main model and functions work side by side; None for one with half of
            every layer's experts in one function.
    """

    model: Path
    cores: int
    name: str
    source: str
    script: Script = field(default_factory=Script)
    function_threads: tuple[int, ...] = (1,)
    plan: Plan | None = None
    experts: Path | None = None
    device: str = "cpu"

    def __post_init__(self) -> None:
        if self.cores < 1:
            raise ValueError(f"cores must be >= 1, got {self.cores}")
        if not self.function_threads or min(self.function_threads) < 1:
            raise ValueError(f"function_threads must be >= 1, got {self.function_threads}")
        if self.plan is not None and not self.plan.functions:
            raise ValueError("plan: must have functions, or there is nothing side by side")


async def measure(profiling: Profiling, say: Say) -> HardwareProfile:
    """Run every session and put the profile together; `say` is told which one runs.

    Raises:
        CheckpointError: the model cannot be read.
        ProfileError: a part did not start, or did not do its work.
    """
    lab = _Lab(profiling)
    main_threads = max(1, profiling.cores - 1)
    say("every expert beside the main model")
    alone = await lab.session(_plan(lab.architecture, 0), main_threads=profiling.cores)
    say("the given plan" if profiling.plan else "half of the experts in a function")
    mixed = await lab.session(
        profiling.plan or _plan(lab.architecture, lab.architecture.experts_per_layer // 2),
        main_threads=main_threads,
    )
    remote = []
    for threads in profiling.function_threads:
        say(f"every expert in a function of {threads} thread{'s' * (threads > 1)}")
        whole = _plan(lab.architecture, lab.architecture.experts_per_layer)
        remote.append(await lab.session(whole, main_threads=main_threads, threads=threads))
    return lab.profile(alone, mixed, remote)


class _Lab:
    def __init__(self, profiling: Profiling) -> None:
        self._profiling = profiling
        checkpoint = Checkpoint.open(profiling.model, sidecar=profiling.experts)
        self.architecture = checkpoint.architecture
        checkpoint.close()
        vocabulary = positive(_text_config(profiling.model), "vocab_size")
        self._requests = profiling.script.requests(vocabulary)

    async def session(self, plan: Plan, *, main_threads: int, threads: int = 1) -> Seen:
        setting = Setting(
            model=self._profiling.model,
            plan=plan,
            main_threads=main_threads,
            function_threads=threads,
            max_context=self._profiling.script.longest,
            experts=self._profiling.experts,
            device=self._profiling.device,
        )
        return await run_session(setting, self._requests, self._profiling.script.repeats)

    def profile(self, alone: Seen, mixed: Seen, remote: list[Seen]) -> HardwareProfile:
        profiling, row_bytes = self._profiling, _WIRE_BYTES * self.architecture.hidden_size
        typical = {id(seen): typical_of(seen.answers) for seen in (alone, mixed, *remote)}
        beside = main_time(
            [(typical[id(seen)], ~_remote(seen)) for seen in (mixed, remote[0])],
            max(1, profiling.cores - 1),
        )
        everything = (alone, mixed, *remote)
        profile = HardwareProfile(
            name=profiling.name,
            source=profiling.source,
            measured=True,
            model=f"{self.architecture.name} at {self.architecture.revision}",
            module=beside.module,
            step=beside.step,
            local_expert=beside.local_expert,
            remote_expert=_remote_time(mixed, remote, typical),
            call=call_time(typical[id(remote[0])], row_bytes),
            main_start=_start([(s.main, _main_bytes(s)) for s in everything], "weights"),
            function_start=_start(
                [(f, _function_bytes(s, n)) for s in everything for n, f in s.functions.items()],
                "first_touch",
            ),
            context_seconds=beside.context_seconds,
            prefill_context_seconds=beside.prefill_context_seconds,
            main_cores=beside.main_cores,
            function_cores=max(1, profiling.cores - int(beside.main_cores)),
            alone=main_time([(typical[id(alone)], ~_remote(alone))], profiling.cores),
            memory=_memory(everything),
            gpu=profiling.device == "cuda",
        )
        side_by_side = overlap(profile, typical[id(mixed)], mixed.setting.plan)
        profile = replace(profile, overlap=side_by_side)
        ratios = (
            step_ratio(profile, typical[id(s)], s.setting.plan, s.setting.function_threads)
            for s in everything
        )
        found = ", ".join(f"{ratio:.2f}" for ratio in ratios)
        return replace(
            profile,
            source=f"{profiling.source}; a decode step by the model, over the one it was made "
            f"from, in its sessions: {found}",
        )


def _plan(architecture: Architecture, remote: int) -> Plan:
    """The last so many experts of every layer in one function."""
    first, room = architecture.experts_per_layer - remote, architecture.total_bytes
    experts = tuple(expert for expert in architecture.experts if expert.index >= first)
    functions = (
        (FunctionPlan(name="measured", experts=experts, memory_bytes=room),) if experts else ()
    )
    return Plan(architecture=architecture, functions=functions, main_memory_bytes=room)


def _remote(seen: Seen) -> Mask:
    """Which experts were remote, bool [MoE layers, experts]."""
    plan = seen.setting.plan
    remote = [plan.is_remote(expert) for expert in plan.architecture.experts]
    return np.array(remote).reshape(plan.architecture.shape)


def _remote_time(mixed: Seen, remote: list[Seen], typical: dict[int, Typical]) -> ExpertTime:
    """By rows and threads; with one thread, also as it was beside a main model at work."""
    times = []
    for seen in remote:
        sessions = [seen, mixed] if seen.setting.function_threads == 1 else [seen]
        totals = [t for s in sessions for t in expert_totals(typical[id(s)], _remote(s), busy)]
        times.append(expert_time(totals, seen.setting.function_threads))
    return ExpertTime(
        cores=tuple(time.cores[0] for time in times),
        curves=tuple(time.curves[0] for time in times),
    )


def _start(parts: list[tuple[Replica, int]], loading: str) -> StartTime:
    """A fixed part, and the phase in which the weights come in."""
    fixed = [sum(part.phases.values()) - part.phases.get(loading, 0.0) for part, _ in parts]
    rates = [weights / max(part.phases.get(loading, 0.0), 1e-4) for part, weights in parts]
    return StartTime(seconds=median(fixed), bytes_per_second=median(rates))


def _memory(sessions: tuple[Seen, ...]) -> MemoryModel:
    main = [seen.main.memory_bytes - _main_bytes(seen) for seen in sessions]
    functions = [
        part.memory_bytes - _function_bytes(seen, name)
        for seen in sessions
        for name, part in seen.functions.items()
    ]
    return MemoryModel(main_working_bytes=max(*main, 0), function_working_bytes=max(*functions, 0))


def _main_bytes(seen: Seen) -> int:
    plan = seen.setting.plan
    local = plan.architecture.expert_count - len(plan.remote_experts)
    return plan.architecture.main_bytes + local * plan.architecture.expert_bytes


def _function_bytes(seen: Seen, name: str) -> int:
    plan = seen.setting.plan
    served = next(len(f.experts) for f in plan.functions if f.name == name)
    return served * plan.architecture.expert_bytes


def _text_config(model: Path) -> dict[str, object]:
    """The config, or the part of it on text where there are several."""
    config = dict(read_config(model))
    text = config.get("text_config")
    return config if "vocab_size" in config or not isinstance(text, dict) else text
