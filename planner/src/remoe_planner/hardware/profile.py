"""The hardware profile: how long every module takes on the machines that the parts run on."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, field
from typing import Any

from remoe_planner.hardware.curve import Curve
from remoe_planner.hardware.expert_time import ExpertTime

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
        context_seconds: more of the same for each row and each token of context before it.
        step: what a pass takes outside of its layers, by rows: embedding, head, sampling, delivery.
        local_expert: one routed expert beside the main model.
        remote_expert: one routed expert in a function.
        handover: the way of n rows from GPU to CPU, and as much back; zero on a CPU (tau_sw).
        call: a warm call of a function.
        main_start: cold start of the main model.
        function_start: cold start of a function.
        main_cores: cores that the main model's experts have.
        shared_cores: whether functions and main model share the same cores, so that their work
            adds up where it would otherwise overlap.
        prefill_chunk: rows of a prompt computed in one pass at most.
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
    main_cores: float = 1.0
    shared_cores: bool = False
    prefill_chunk: int = 256

    def __post_init__(self) -> None:
        _check("context_seconds", self.context_seconds)
        _check("main_cores", self.main_cores, positive=True)
        if self.prefill_chunk < 1:
            raise ValueError(f"profile: prefill_chunk must be >= 1, got {self.prefill_chunk}")

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
        return cls(**body | curves | experts | starts | {"call": CallTime(**body["call"])})


_CURVES = ("module", "step", "handover")
_EXPERTS = ("local_expert", "remote_expert")
_STARTS = ("main_start", "function_start")


def _expert_time(values: dict[str, Any]) -> ExpertTime:
    curves = tuple(map(Curve.from_mapping, values["curves"]))
    return ExpertTime(cores=tuple(values["cores"]), curves=curves)


def _check(name: str, value: float, *, positive: bool = False) -> None:
    if not math.isfinite(value) or value < 0 or (positive and value == 0):
        bound = "> 0" if positive else ">= 0"
        raise ValueError(f"profile: {name} must be finite and {bound}, got {value}")
