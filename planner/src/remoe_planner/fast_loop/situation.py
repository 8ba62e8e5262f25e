"""What the decision is made in: what is awake, how long things take, and what a second is worth."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from remoe_planner.demand.slo import Slo
from remoe_planner.hardware.profile import HardwareProfile
from remoe_planner.memory import GIB
from remoe_planner.plan import Plan
from remoe_planner.prices import Prices


@dataclass(frozen=True, slots=True, kw_only=True)
class PassTimes:
    """How long the parts of a request take, as far as a missing function changes them.

    Attributes:
        token_seconds: of the main model for one prompt token of a prefill.
        step_seconds: for one token of the answer.
        touch_seconds: what the main model takes more to use an expert of a sleeping function for
            the first time: its weights come from the checkpoint.
        row_seconds: what it takes more for an answer's row at such an expert than a function.
        prompt_row_seconds: the same of a prompt's row, which shares the weights with others.
        remote_row_seconds: a prompt's row at an expert of a function, transport included.
        local_row_seconds: a prompt's row at a local expert.
    """

    token_seconds: float = 0.005
    step_seconds: float = 0.05
    touch_seconds: float = 0.01
    row_seconds: float = 0.0005
    prompt_row_seconds: float = 0.0005
    remote_row_seconds: float = 0.001
    local_row_seconds: float = 0.001

    def __post_init__(self) -> None:
        for name in PassTimes.__slots__:
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0):
                raise ValueError(f"times: {name} must be finite and >= 0, got {value}")
        if self.step_seconds == 0:
            raise ValueError("times: step_seconds must be > 0, got 0")

    @classmethod
    def of(cls, profile: HardwareProfile, plan: Plan) -> Self:
        """From a measured profile; weights come in as they do at the main model's start.

        Rows of a prompt are taken as they come in a full chunk: evenly over the experts. Functions
        of a layer work beside each other, and beside the main model.
        """
        architecture, chunk = plan.architecture, profile.prefill_chunk
        layers, top_k = len(architecture.layers), architecture.top_k
        rows = np.array([1.0, max(chunk * top_k / architecture.experts_per_layer, 1.0)])
        local = profile.local_expert.seconds(rows, profile.main_cores)
        travel = 4 * architecture.hidden_size / profile.call.bytes_per_second
        remote = profile.remote_expert.seconds(rows, _cores_of(plan)) + travel * rows
        remote_picks = top_k * plan.remote_share / max(_functions_of_a_layer(plan), 1.0)
        local_picks = top_k * (1 - plan.remote_share)
        one, many = np.maximum(local_picks * local / rows, remote_picks * remote / rows).tolist()
        call = profile.call.mean_seconds if plan.functions else 0.0
        return cls(
            token_seconds=layers * (float(profile.module.at(chunk)) / chunk + many),
            step_seconds=layers * (float(profile.module.at(1.0)) + call + one)
            + float(profile.step.at(1.0)),
            touch_seconds=architecture.expert_bytes / profile.main_start.bytes_per_second,
            row_seconds=max(float(local[0]) - profile.call.main_seconds, 0.0),
            prompt_row_seconds=float(local[1] / rows[1]),
            remote_row_seconds=float(remote[1] / rows[1]),
            local_row_seconds=float(local[1] / rows[1]),
        )


def _cores_of(plan: Plan) -> float:
    """Of a function of mean size; a GiB's where the plan does not say."""
    cores = [f.cores or f.memory_bytes / GIB for f in plan.functions]
    return sum(cores) / len(cores) if cores else 1.0


def _functions_of_a_layer(plan: Plan) -> float:
    """Functions that serve experts of a layer, a mean."""
    served = sum(len({expert.layer for expert in f.experts}) for f in plan.functions)
    return served / len(plan.architecture.layers)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Standing:
    """What there is of every function, in the plan's order, and of the main model.

    Attributes:
        replicas: [functions] ready or starting, 0 where it sleeps.
        start_seconds: [functions] from asking for a replica until it answers.
        main_ready_seconds: until the main model takes the request; 0 where it is awake.
        others_per_second: [functions] how often other requests use each.
    """

    replicas: NDArray[np.int64]
    start_seconds: NDArray[np.float64]
    main_ready_seconds: float = 0.0
    others_per_second: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        if self.start_seconds.shape != self.replicas.shape:
            raise ValueError(
                f"standing: start_seconds must have shape {self.replicas.shape}, as replicas has, "
                f"got {self.start_seconds.shape}"
            )
        if not (math.isfinite(self.main_ready_seconds) and self.main_ready_seconds >= 0):
            raise ValueError(
                "standing: main_ready_seconds must be finite and >= 0, "
                f"got {self.main_ready_seconds}"
            )

    @property
    def asleep(self) -> NDArray[np.bool_]:
        return np.asarray(self.replicas == 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Worth:
    """What seconds cost.

    Attributes:
        function_gib_second: price of a GiB of a function for a second.
        main_second: price of the main model's memory for a second.
        waiting: how many times that a second of somebody's waiting is worth beside it.
        pressure: how many times more where the SLO is at risk.
        slo: the promise; None promises nothing.
    """

    function_gib_second: float
    main_second: float
    waiting: float = 10.0
    pressure: float = 10.0
    slo: Slo | None = None

    def __post_init__(self) -> None:
        for name in ("function_gib_second", "main_second", "waiting", "pressure"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0):
                raise ValueError(f"worth: {name} must be finite and >= 0, got {value}")

    @classmethod
    def of(cls, plan: Plan, prices: Prices, *, slo: Slo | None = None) -> Self:
        """By a price list."""
        main = plan.main_memory_bytes / GIB * prices.main_gib_second
        return cls(
            function_gib_second=prices.function_gib_second,
            main_second=main + plan.main_gpu_bytes / GIB * prices.gpu_gib_second,
            slo=slo,
        )

    def before_first_token(self, ttft_seconds: float) -> float:
        """A second saved of a request whose first token is expected after so long."""
        return self._of_second(ttft_seconds, self.slo.ttft_seconds if self.slo else None)

    def in_answer(self, tpot_seconds: float) -> float:
        """The same of one whose further tokens are expected to take so long each."""
        return self._of_second(tpot_seconds, self.slo.tpot_seconds if self.slo else None)

    def _of_second(self, expected_seconds: float, promised_seconds: float | None) -> float:
        """Rises from where half of what is promised is used up to where all of it is."""
        used = expected_seconds / promised_seconds if promised_seconds else 0.0
        risk = min(max(2 * used - 1, 0.0), 1.0)
        return self.main_second * (1 + self.waiting * (1 + self.pressure * risk))
