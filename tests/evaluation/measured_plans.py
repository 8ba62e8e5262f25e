"""The contenders of section 2 that are services of ours: a plan each, and who wakes functions.

Plans are made from the learned prompts' history and the measured profile alone. Latency is promised
as a multiple of what everything resident is expected to have, for a main model that is awake: how
long a sleeping one takes is told apart from it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from remoe_planner.activation_history import ActivationHistory
from remoe_planner.architecture import Architecture
from remoe_planner.billing import Billing
from remoe_planner.demand.routing import Routing
from remoe_planner.demand.slo import Slo
from remoe_planner.demand.workload import Workload
from remoe_planner.estimating.estimate_plan import estimate_plan
from remoe_planner.experts import ExpertId
from remoe_planner.hardware.profile import HardwareProfile
from remoe_planner.memory import MemoryModel
from remoe_planner.method import Method
from remoe_planner.offerings import Offerings
from remoe_planner.plan import FunctionPlan, Plan
from remoe_planner.planning.make_plan import make_plan
from remoe_planner.resident import plan_resident
from remoe_simulator.contender import ContenderName

SLACK = 1.5
FUNCTION_KEEP_ALIVE_SECONDS = 8.0
MAIN_KEEP_ALIVE_SECONDS = 15.0
# A function whose replicas all started anew for each prompt would be measured starting, no more.
PER_EXPERT_KEEP_ALIVE_SECONDS = 60.0
REQUESTS_PER_SECOND = 1 / 15
EVERYTHING_AWAKE = "Planned for bills of every second awake, it would be CPU's row."
OURS_AWAKE = f"{ContenderName.OURS}, billed awake"


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A contender that is served for real.

    Attributes:
        name: as tables call it.
        plan: what is served.
        forecasts: whether functions are woken by forecasts; else by the call that misses them.
        prompts: asked at most, the first of the draw; None for all.
        note: what a reader must know, in sentences.
    """

    name: str
    plan: Plan
    forecasts: bool = False
    prompts: int | None = None
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ground:
    """What every plan is made from."""

    architecture: Architecture
    history: ActivationHistory
    profile: HardwareProfile
    output_tokens: int

    @property
    def given(self) -> dict[str, Any]:
        """Arguments of estimates and plans alike."""
        return {
            "routing": Routing.of(self.history),
            "workload": self.workload,
            "profile": self.profile,
            "offerings": self.offerings,
        }

    @property
    def workload(self) -> Workload:
        prompts, steps = self.history.prompt_tokens, max(self.output_tokens - 1, 1)
        return Workload(
            prompt_tokens=round(float(prompts.mean())),
            max_prompt_tokens=int(prompts.max()),
            output_tokens=steps,
            max_output_tokens=steps,
            requests_per_second=REQUESTS_PER_SECOND,
        )

    @property
    def memory(self) -> MemoryModel:
        return self.profile.memory or MemoryModel()

    @property
    def offerings(self) -> Offerings:
        """What `remoe serve` rents out here: one replica on one core, whatever its memory."""
        return Offerings(
            billing=Billing.BUSY,
            memory=self.memory,
            main_keep_alive_seconds=None,
            function_keep_alive_seconds=FUNCTION_KEEP_ALIVE_SECONDS,
            cores_per_gib=1e3,
            max_function_cores=1.0,
            max_replicas=1,
        )

    @property
    def resident(self) -> Plan:
        return plan_resident(self.architecture, self.memory)

    @property
    def slo(self) -> Slo:
        """What is promised: so many times what everything resident is expected to have."""
        latency = estimate_plan(self.resident, **self.given).latency
        return Slo(
            ttft_seconds=SLACK * latency.ttft_at_percentile_seconds,
            tpot_seconds=SLACK * latency.tpot_at_percentile_seconds,
        )


def served(ground: Ground, *, few: int, fewest: int) -> tuple[Served, ...]:
    """Every service of ours, in the order of tables.

    Args:
        ground: what plans are made from.
        few: prompts of contenders that are slow, or much alike another one.
        fewest: prompts of those that this machine hardly holds.
    """
    ours, billed_awake = planned(ground, ContenderName.OURS, Method.MARGINAL), awake(ground, few)
    if not billed_awake:
        ours = replace(ours, note=f"{ours.note} {EVERYTHING_AWAKE}".strip())
    return (
        Served(
            name=ContenderName.CPU,
            plan=ground.resident,
            note="The main model has both cores, as there are no functions beside it.",
        ),
        only(few, planned(ground, ContenderName.PRINTED, Method.PRINTED)),
        ours,
        *billed_awake,
        Served(
            name=ContenderName.PER_EXPERT,
            plan=by_expert(ground),
            prompts=fewest,
            note=(
                f"{ground.architecture.expert_count} processes; the first {fewest} prompts, one "
                f"cold start, and a keep-alive of {PER_EXPERT_KEEP_ALIVE_SECONDS:.0f} s."
            ),
        ),
        only(few, Served(name=ContenderName.PER_LAYER, plan=by_layer(ground))),
    )


def planned(ground: Ground, name: str, method: Method, billing: Billing = Billing.BUSY) -> Served:
    """The method's plan for what is promised, cheapest under one way of billing."""
    given = ground.given | {"offerings": replace(ground.offerings, billing=billing)}
    made = make_plan(ground.architecture, method=method, slo=ground.slo, **given)
    missed = " ".join(shortfall.sentence for shortfall in made.shortfalls)
    note = "" if made.feasible else f"NOT inside the SLO: {missed}"
    return Served(name=name, plan=made.plan, forecasts=True, note=note)


def awake(ground: Ground, few: int) -> tuple[Served, ...]:
    """Remoe where every second awake is paid for; nobody where that is everything resident."""
    found = planned(ground, OURS_AWAKE, Method.MARGINAL, Billing.AWAKE)
    if not found.plan.functions:
        return ()
    note = f"Planned for bills of every second awake. {found.note}".strip()
    return (only(few, replace(found, note=note)),)


def only(few: int, contender: Served) -> Served:
    """The same, asked fewer prompts."""
    note = f"The first {few} prompts. {contender.note}".strip()
    return replace(contender, prompts=few, note=note)


def by_layer(ground: Ground) -> Plan:
    """A function for all experts of each layer."""
    architecture = ground.architecture
    groups = {
        f"layer-{layer}": tuple(e for e in architecture.experts if e.layer == layer)
        for layer in architecture.layers
    }
    return _by_hand(ground, groups, FUNCTION_KEEP_ALIVE_SECONDS)


def by_expert(ground: Ground) -> Plan:
    """Every expert a function of its own."""
    groups = {f"expert-{e.layer}-{e.index}": (e,) for e in ground.architecture.experts}
    return _by_hand(ground, groups, PER_EXPERT_KEEP_ALIVE_SECONDS)


def kept(folder: Path, contenders: tuple[Served, ...], slo: Slo) -> None:
    """Keep what was planned, so that later steps speak of the same plans."""
    folder.mkdir(parents=True, exist_ok=True)
    for contender in contenders:
        (folder / f"{slug(contender.name)}.json").write_text(contender.plan.to_json(), "utf-8")
    about = {
        "slo": {"ttft_seconds": slo.ttft_seconds, "tpot_seconds": slo.tpot_seconds},
        "contenders": [
            {
                "name": str(contender.name),
                "forecasts": contender.forecasts,
                "prompts": contender.prompts,
                "note": contender.note,
            }
            for contender in contenders
        ],
    }
    (folder / "contenders.json").write_text(json.dumps(about, indent=2), "utf-8")


def recalled(folder: Path) -> tuple[tuple[Served, ...], Slo] | None:
    """What was kept; None where nothing was."""
    if not (folder / "contenders.json").exists():
        return None
    about = json.loads((folder / "contenders.json").read_text("utf-8"))
    found = (
        Served(
            **one,
            plan=Plan.from_json((folder / f"{slug(one['name'])}.json").read_text("utf-8")),
        )
        for one in about["contenders"]
    )
    return tuple(found), Slo(**about["slo"])


def slug(name: str) -> str:
    """A name as part of a file's."""
    return name.lower().replace(" ", "-").replace(".", "-")


def _by_hand(
    ground: Ground, groups: Mapping[str, tuple[ExpertId, ...]], keep_alive_seconds: float
) -> Plan:
    memory, architecture = ground.memory, ground.architecture
    return Plan(
        architecture=architecture,
        functions=tuple(
            FunctionPlan(
                name=name,
                experts=experts,
                memory_bytes=memory.of_function(architecture, len(experts)),
                keep_alive_seconds=keep_alive_seconds,
                cores=1.0,
            )
            for name, experts in groups.items()
        ),
        main_memory_bytes=memory.of_main(architecture, 0),
        reasons=("Made by hand.",),
    )
