"""The plan: which experts are local, which function serves each remote one, and why.

A plan is a value. It can be printed, saved as JSON, read back and compared; carrying it out is
the runtime's work.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from functools import cached_property, lru_cache
from itertools import chain, islice
from operator import attrgetter, lt
from typing import Any

from remoe_planner.architecture import Architecture
from remoe_planner.estimate import Estimate
from remoe_planner.experts import ExpertId
from remoe_planner.method import Method

PLAN_VERSION = 2
# Plans have tens of thousands of experts, and are made within milliseconds.
_KEY = attrgetter("key")


class Tier(StrEnum):
    """Where an expert runs."""

    LOCAL = "local"
    """Beside the main model."""

    ALWAYS_ON = "always-on"
    """In a function that keeps a replica: an expert pod."""

    ON_DEMAND = "on-demand"
    """In a function that sleeps at zero."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionPlan:
    """One expert function: the experts it serves and the bounds it runs within.

    Attributes:
        name: a DNS label, unique in the plan.
        experts: the (layer, expert) pairs it serves, ascending.
        memory_bytes: what one replica is given (weights and working memory), and billed for.
        cores: cores of one replica; None where the plan does not say.
        min_replicas: replicas kept when idle; 0 lets the function sleep.
        max_replicas: replicas at most.
        keep_alive_seconds: how long an idle replica stays before it is stopped.
    """

    name: str
    experts: tuple[ExpertId, ...]
    memory_bytes: int
    min_replicas: int = 0
    max_replicas: int = 1
    keep_alive_seconds: float = 60.0
    cores: float | None = None

    def __post_init__(self) -> None:
        if not self.name:
            raise ValueError("a function needs a name")
        keys = list(map(_KEY, self.experts))
        if not keys or not all(map(lt, keys, islice(keys, 1, None))):
            raise ValueError(f"function {self.name}: experts must be ascending and not empty")
        if not 0 <= self.min_replicas <= self.max_replicas or self.max_replicas < 1:
            raise ValueError(
                f"function {self.name}: replicas must satisfy 0 <= min <= max and max >= 1, "
                f"got {self.min_replicas}..{self.max_replicas}"
            )
        if self.memory_bytes < 1 or self.keep_alive_seconds < 0:
            raise ValueError(f"function {self.name}: memory must be > 0 and keep-alive >= 0")
        if self.cores is not None and not self.cores > 0:
            raise ValueError(f"function {self.name}: cores must be > 0, got {self.cores}")

    @property
    def tier(self) -> Tier:
        return Tier.ALWAYS_ON if self.min_replicas else Tier.ON_DEMAND


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Where every expert of a model runs.

    Attributes:
        architecture: the model planned for.
        functions: the expert functions; experts in none of them are local.
        main_memory_bytes: what the main model is given, and billed for.
        main_gpu_bytes: GPU memory beside it; 0 for a main model on CPU.
        method: how the plan was made; None for one written by hand.
        estimate: what it is expected to do; None where nobody asked.
        binding: the constraints that keep it from being cheaper, in words.
        reasons: sentences for people, one per decision worth explaining.
    """

    architecture: Architecture
    functions: tuple[FunctionPlan, ...]
    main_memory_bytes: int
    main_gpu_bytes: int = 0
    method: Method | None = None
    estimate: Estimate | None = None
    binding: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        names = [function.name for function in self.functions]
        if len(names) != len(set(names)):
            raise ValueError(f"function names must be unique, got {names}")
        self._check_experts()

    def _check_experts(self) -> None:
        served = list(chain.from_iterable(function.experts for function in self.functions))
        keys = set(map(_KEY, served))
        if not keys <= _known(self.architecture.layers, self.architecture.experts_per_layer):
            strangers = [expert for expert in served if not self.architecture.has(expert)]
            raise ValueError(f"the model has no experts {', '.join(map(str, strangers))}")
        if len(keys) != len(served):
            raise ValueError("an expert must be served by one function at most")

    @cached_property
    def _homes(self) -> Mapping[ExpertId, FunctionPlan]:
        return {expert: function for function in self.functions for expert in function.experts}

    def function_of(self, expert: ExpertId) -> FunctionPlan | None:
        """The function that serves an expert, or None where it is local."""
        return self._homes.get(expert)

    def tier_of(self, expert: ExpertId) -> Tier:
        """Where an expert runs."""
        home = self.function_of(expert)
        return Tier.LOCAL if home is None else home.tier

    def is_remote(self, expert: ExpertId) -> bool:
        return expert in self._homes

    @property
    def remote_experts(self) -> tuple[ExpertId, ...]:
        return tuple(sorted(self._homes))

    @property
    def local_experts(self) -> tuple[ExpertId, ...]:
        return tuple(e for e in self.architecture.experts if e not in self._homes)

    @property
    def remote_share(self) -> float:
        """Remote experts over all experts, 0 to 1."""
        return len(self._homes) / self.architecture.expert_count

    def to_json(self) -> str:
        """The plan as JSON, keys sorted; `from_json` reads it back to an equal plan."""
        body = {
            "version": PLAN_VERSION,
            "architecture": asdict(self.architecture),
            "mainMemoryBytes": self.main_memory_bytes,
            "mainGpuBytes": self.main_gpu_bytes,
            "method": self.method,
            "estimate": self.estimate and self.estimate.to_mapping(),
            "binding": list(self.binding),
            "reasons": list(self.reasons),
            "functions": [
                asdict(f) | {"experts": [str(e) for e in f.experts]} for f in self.functions
            ],
        }
        return json.dumps(body, indent=2, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Plan:
        """Read a plan.

        Raises:
            ValueError: not a plan, of another version, or contradicting itself; says which field.
        """
        try:
            return cls._from_body(json.loads(text))
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"not a plan: {error!r}") from error

    @classmethod
    def _from_body(cls, body: dict[str, Any]) -> Plan:
        if body["version"] != PLAN_VERSION:
            raise ValueError(f"plan version must be {PLAN_VERSION}, got {body['version']!r}")
        shape = body["architecture"]
        functions = tuple(
            FunctionPlan(**(f | {"experts": tuple(map(ExpertId.parse, f["experts"]))}))
            for f in body["functions"]
        )
        return cls(
            architecture=Architecture(**(shape | {"layers": tuple(shape["layers"])})),
            functions=functions,
            main_memory_bytes=body["mainMemoryBytes"],
            main_gpu_bytes=body["mainGpuBytes"],
            method=body["method"] and Method(body["method"]),
            estimate=body["estimate"] and Estimate.from_mapping(body["estimate"]),
            binding=tuple(body["binding"]),
            reasons=tuple(body["reasons"]),
        )


@lru_cache(maxsize=4)
def _known(layers: tuple[int, ...], experts: int) -> frozenset[int]:
    """Keys of a model's experts. Sets, not arrays: a function reads its plan before numpy."""
    return frozenset(ExpertId(layer, k).key for layer in layers for k in range(experts))
