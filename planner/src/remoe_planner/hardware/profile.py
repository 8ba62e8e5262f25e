"""The hardware profile: how long every module takes on the machines that the parts run on."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from remoe_planner.hardware.curve import Curve
from remoe_planner.hardware.expert_time import ExpertTime
from remoe_planner.memory import MemoryModel

PROFILE_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class CallTime:
    """What a warm call of a function takes beside its arithmetic (the paper's t_rem).

    Attributes:
        mean_seconds: from sending to having the answer, less the expert's own time.
        deviation_seconds: standard deviation of the same, call by call.
        main_seconds: the part of it that the main model itself works (pack, unpack, join).
        bytes_per_second: rate at which token rows travel (the paper's B).
    """

    mean_seconds: float
    deviation_seconds: float = 0.0
    main_seconds: float = 0.0
    bytes_per_second: float = 1e9

    def __post_init__(self) -> None:
        for name in ("mean_seconds", "deviation_seconds", "main_seconds"):
            _check(f"call: {name}", getattr(self, name))
        _check("call: bytes_per_second", self.bytes_per_second, positive=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class StartTime:
    """A cold start: a fixed part and the weights' way into memory.

    Attributes:
        seconds: from asking for a replica to its first answer, with no weights at all.
        bytes_per_second: rate at which weights come in.
    """

    seconds: float
    bytes_per_second: float

    def __post_init__(self) -> None:
        _check("start: seconds", self.seconds)
        _check("start: bytes_per_second", self.bytes_per_second, positive=True)

    def of(self, weight_bytes: float) -> float:
        """Seconds until a part with these weights answers."""
        return self.seconds + weight_bytes / self.bytes_per_second


@dataclass(frozen=True, slots=True, kw_only=True)
class MainTime:
    """The main model's times where it has other cores than a profile's main model.

    Attributes:
        module, step, local_expert: as in the profile.
        context_seconds, prefill_context_seconds: as in the profile.
        main_cores: cores it has.
    """

    module: Curve
    step: Curve
    local_expert: ExpertTime
    main_cores: float
    context_seconds: float = 0.0
    prefill_context_seconds: float = 0.0

    def __post_init__(self) -> None:
        for name in ("context_seconds", "prefill_context_seconds"):
            _check(f"alone: {name}", getattr(self, name))
        _check("alone: main_cores", self.main_cores, positive=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class HardwareProfile:
    """Times of one model's modules on one kind of machine.

    Attributes:
        name: the machine, for people.
        source: how the numbers came to be: measured when and how, or published where.
        measured: whether they were measured with the real parts; a stated profile says so in
            every table that rests on it.
        model: the model's name and revision that it was measured with, for people.
        module: one layer without its routed experts (attention, gate, shared experts), by rows
            computed together (tau_f).
        context_seconds: more of the same in a decode step, for each row and each token of context
            before it.
        prefill_context_seconds: the same in a prompt, for each token before its row's chunk; less,
            as a whole chunk reads the keys and values once.
        step: what lies between two passes, by rows: sampling and delivery. No caller is billed for
            it; embedding and head count with the layers.
        local_expert: one routed expert beside the main model.
        remote_expert: one routed expert in a function.
        handover: the way of n rows from GPU to CPU, and as much back; zero on a CPU (tau_sw).
        call: a warm call of a function.
        main_start: cold start of the main model.
        function_start: cold start of a function.
        main_cores: cores that the main model's experts have.
        overlap: how much of the shorter of local and remote work hides behind the longer, 0 to 1:
            1 where functions have cores of their own, less where both wait for the same cores or
            the same memory.
        function_cores: cores that all functions together have; None where each has its own.
        request_seconds: what a request takes before its first pass and after it until its caller
            has the first token: front door, tokenizer, the way back.
        alone: the main model's times in a plan without functions, where it has more cores then.
        memory: what the parts were seen to need beside their weights; None where nobody looked.
        prefill_chunk: rows of a prompt computed in one pass at most.
        gpu: whether everything but routed experts was measured on a GPU.
    """

    name: str
    source: str
    measured: bool
    module: Curve
    step: Curve
    local_expert: ExpertTime
    remote_expert: ExpertTime
    call: CallTime
    main_start: StartTime
    function_start: StartTime
    model: str = ""
    handover: Curve = field(default_factory=Curve.nothing)
    context_seconds: float = 0.0
    prefill_context_seconds: float = 0.0
    main_cores: float = 1.0
    overlap: float = 1.0
    function_cores: float | None = None
    request_seconds: float = 0.0
    alone: MainTime | None = None
    memory: MemoryModel | None = None
    prefill_chunk: int = 256
    gpu: bool = False

    def __post_init__(self) -> None:
        for name in ("context_seconds", "prefill_context_seconds", "request_seconds"):
            _check(name, getattr(self, name))
        _check("main_cores", self.main_cores, positive=True)
        if self.function_cores is not None:
            _check("function_cores", self.function_cores, positive=True)
        if not 0 <= self.overlap <= 1:
            raise ValueError(f"profile: overlap must be in 0..1, got {self.overlap}")
        if self.prefill_chunk < 1:
            raise ValueError(f"profile: prefill_chunk must be >= 1, got {self.prefill_chunk}")

    @property
    def title(self) -> str:
        """The name, and how much it is worth, for people."""
        return f"{self.name} ({'measured' if self.measured else 'stated, not measured'})"

    def of_main(self, *, functions: bool) -> HardwareProfile:
        """The times that hold for a main model with or without functions beside it."""
        alone = self.alone
        if functions or alone is None:
            return self
        return replace(
            self,
            module=alone.module,
            step=alone.step,
            local_expert=alone.local_expert,
            context_seconds=alone.context_seconds,
            prefill_context_seconds=alone.prefill_context_seconds,
            main_cores=alone.main_cores,
        )

    def to_json(self) -> str:
        """The profile as JSON, keys sorted; `from_json` reads it back to an equal one."""
        return json.dumps({"version": PROFILE_VERSION} | asdict(self), indent=2, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> HardwareProfile:
        """Read a profile.

        Raises:
            ValueError: not a profile, of another version, or out of bounds; says which field.
        """
        try:
            return cls._from_body(json.loads(text))
        except json.JSONDecodeError as error:
            raise ValueError(f"not a hardware profile: not JSON: {error}") from error
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"not a hardware profile: {error!r}") from error

    @classmethod
    def _from_body(cls, body: dict[str, Any]) -> HardwareProfile:
        version = body.pop("version")
        if version != PROFILE_VERSION:
            raise ValueError(f"profile version must be {PROFILE_VERSION}, got {version!r}")
        curves = {name: Curve.from_mapping(body.pop(name)) for name in _CURVES}
        experts = {name: _expert_time(body.pop(name)) for name in _EXPERTS}
        starts = {name: StartTime(**body.pop(name)) for name in _STARTS}
        rest = {
            "call": CallTime(**body["call"]),
            "alone": body.get("alone") and _main_time(body["alone"]),
            "memory": body.get("memory") and MemoryModel(**body["memory"]),
        }
        return cls(**body | curves | experts | starts | rest)


_CURVES = ("module", "step", "handover")
_EXPERTS = ("local_expert", "remote_expert")
_STARTS = ("main_start", "function_start")


def _main_time(values: dict[str, Any]) -> MainTime:
    return MainTime(
        module=Curve.from_mapping(values["module"]),
        step=Curve.from_mapping(values["step"]),
        local_expert=_expert_time(values["local_expert"]),
        main_cores=values["main_cores"],
        context_seconds=values["context_seconds"],
        prefill_context_seconds=values["prefill_context_seconds"],
    )


def _expert_time(values: dict[str, Any]) -> ExpertTime:
    curves = tuple(map(Curve.from_mapping, values["curves"]))
    return ExpertTime(cores=tuple(values["cores"]), curves=curves)


def _check(name: str, value: float, *, positive: bool = False) -> None:
    if not math.isfinite(value) or value < 0 or (positive and value == 0):
        bound = "> 0" if positive else ">= 0"
        raise ValueError(f"profile: {name} must be finite and {bound}, got {value}")
