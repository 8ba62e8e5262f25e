"""What a caller waits for beyond the main model's passes, and how a profile is shown."""

from __future__ import annotations

from dataclasses import replace

import pytest
from builders.estimating_world import architecture, least_used, machine, routing
from rich.console import Console

from remoe_functions.cli.measuring import FrontDoor, behind
from remoe_functions.cli.profile_table import profile_table
from remoe_planner.demand.workload import Workload
from remoe_planner.estimating.estimate_plan import estimate_plan
from remoe_planner.memory import MIB, MemoryModel
from remoe_planner.offerings import Offerings


def estimated(profile):
    model = architecture()
    spread = routing(model)
    return estimate_plan(
        least_used(model, spread, 0.5),
        routing=spread,
        workload=Workload(),
        profile=profile,
        offerings=Offerings(),
    )


def test_the_front_door_is_in_the_first_token_and_in_no_bill():
    door = FrontDoor(request_seconds=0.02, step_seconds=0.0)
    plain, behind_it = estimated(machine()), estimated(behind(machine(), door))
    assert behind_it.ttft_terms["front door"] == 0.02
    assert behind_it.latency.ttft_seconds - plain.latency.ttft_seconds == pytest.approx(0.02)
    assert behind_it.busy.per_request == plain.busy.per_request


def test_what_lies_between_two_passes_is_never_less_than_the_engine_saw():
    slow = behind(machine(), FrontDoor(request_seconds=0.0, step_seconds=0.005))
    fast = behind(machine(), FrontDoor(request_seconds=0.0, step_seconds=0.0))
    assert float(slow.step.at(1)) == 0.005
    assert fast.step == machine().step


def shown(profile):
    console = Console(width=120, record=True)
    console.print(profile_table(profile))
    return console.export_text()


def test_a_profile_is_shown_with_what_it_is_worth():
    assert "stated, not measured" in shown(machine())
    assert "MiB" not in shown(machine())
    memory = MemoryModel(main_working_bytes=700 * MIB, function_working_bytes=40 * MIB)
    text = shown(replace(machine(), measured=True, memory=memory))
    assert "small machine: measured" in text
    assert "700" in text
    assert "300 ± 100" in text
