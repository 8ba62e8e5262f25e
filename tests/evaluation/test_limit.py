from dataclasses import replace
from types import SimpleNamespace

import pytest
from builders.limit_worlds import a_problem, a_request, a_world_of
from builders.planning_worlds import an_architecture
from evaluation.limit_steps import Causes

from remoe_planner.demand.slo import Slo
from remoe_planner.planning.placing import place, resident_homes

pytestmark = pytest.mark.slow

NAMES = [
    "oracle's optimum",
    "grid of sizes",
    "bound that no plan reaches",
    "one plan for all requests",
    "routing not known",
    "planner's own distance",
    "worst-case allowance",
]


def causes_at(slo):
    world = replace(a_world_of(an_architecture(layers=2, experts=6)), slo=slo)
    requests = [a_request(world.architecture, seed) for seed in range(8)]
    problem = a_problem(world, requests[0])
    return Causes(
        setting=SimpleNamespace(routing=problem.routing, workload=problem.workload),
        world=world,
        requests=requests[:4],
        learned=requests[4:],
        ours=place(problem, resident_homes(problem)),
    )


@pytest.fixture(scope="module")
def causes():
    return causes_at(Slo())


@pytest.fixture(scope="module")
def found(causes):
    return [causes.found(request) for request in causes.requests]


def test_what_is_found_lies_between_the_floor_and_ours(causes, found):
    ours = causes.judged(causes.ours)
    for least, best, had in zip(causes.floors(), found, ours, strict=True):
        assert least <= best.busy.cost <= had.busy.cost


def test_steps_lead_from_the_least_to_ours(causes, found):
    steps = causes.steps(causes.floors(), found)

    assert [step.name for step in steps] == NAMES
    costs = [step.usd for step in steps]
    assert costs[:4] == sorted(costs[:4])
    own = [one.busy.cost for one in causes.judged(causes.ours)]
    assert steps[-1].usd == pytest.approx(sum(own) / len(own))


def test_a_promise_that_plans_cannot_keep_leaves_ours_as_it_is():
    causes = causes_at(Slo(tpot_seconds=1e-6))

    assert causes.hindsight is causes.ours
