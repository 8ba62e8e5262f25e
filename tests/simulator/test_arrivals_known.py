import numpy as np
import pytest
from builders.limit_worlds import a_problem, a_request, a_world_of
from builders.planning_worlds import an_architecture

from remoe_planner.memory import GIB, MIB
from remoe_planner.method import Method
from remoe_planner.planning.placing import place, resident_homes, to_plan
from remoe_simulator.contender import Contender
from remoe_simulator.limit.arrivals_known import with_arrivals_known
from remoe_simulator.limit.playing import alone
from remoe_simulator.simulate import simulate


@pytest.fixture
def world():
    return a_world_of(an_architecture(layers=1, experts=4, top_k=1))


def requests_at(world, *arrivals):
    return [
        a_request(world.architecture, seed, arrival=arrival)
        for seed, arrival in enumerate(arrivals)
    ]


def resident(world, requests):
    problem = a_problem(world, requests[0])
    return place(problem, resident_homes(problem))


def awake(world, placed, requests):
    served = alone(placed, requests, world)
    return with_arrivals_known(placed, requests, served, world), served


def main_price(world, placed):
    return placed.main_memory_bytes / GIB * world.offerings.prices.main_gib_second


def spans(served):
    return sum(one.finished_seconds - one.arrival_seconds for one in served)


def test_far_requests_start_the_main_model_twice_and_hold_it_no_longer_than_they_last(world):
    requests = requests_at(world, 0.0, 1000.0)
    placed = resident(world, requests)
    found, served = awake(world, placed, requests)

    price = main_price(world, placed)
    start = world.profile.main_start.of(placed.local_weight_bytes)
    assert found.starting == pytest.approx(2 * start * price)
    assert found.ready == pytest.approx(spans(served) * price)


def test_near_requests_keep_it(world):
    requests = requests_at(world, 0.0, 1.0)
    placed = resident(world, requests)
    found, served = awake(world, placed, requests)

    last = 1.0 + served[1].finished_seconds - served[1].arrival_seconds
    start = world.profile.main_start.of(placed.local_weight_bytes)
    assert found.starting == pytest.approx(start * main_price(world, placed))
    assert found.ready == pytest.approx(last * main_price(world, placed))


def test_requests_at_once_hold_it_once(world):
    requests = requests_at(world, 5.0, 5.0)
    placed = resident(world, requests)
    found, served = awake(world, placed, requests)

    longest = max(one.finished_seconds - one.arrival_seconds for one in served)
    assert found.ready == pytest.approx(longest * main_price(world, placed))


def test_a_function_that_nobody_calls_costs_nothing():
    world = a_world_of(an_architecture(layers=1, experts=32, top_k=1, expert_mib=1))
    requests = requests_at(world, 0.0)
    used = requests[0].prompt_counts + requests[0].answer_counts
    unused = np.argmin(used[0])
    assert used[0, unused] == 0
    homes = np.zeros(used.shape, np.intp)
    homes[0, unused] = 1
    problem = a_problem(world, requests[0])
    found, served = awake(world, place(problem, homes), requests)

    price = main_price(world, place(problem, homes))
    start = world.profile.main_start.of(place(problem, homes).local_weight_bytes)
    assert found.cost == pytest.approx((start + spans(served)) * price)


def test_a_function_of_all_experts_is_held_from_the_prompt_to_the_last_token(world):
    requests = requests_at(world, 0.0)
    problem = a_problem(world, requests[0])
    placed = place(problem, np.ones((1, 4), np.intp), memory_bytes=np.array([500.0 * MIB]))
    found, served = awake(world, placed, requests)

    per_second = world.offerings.prices.function_gib_second * placed.memory_bytes[0] / GIB
    both = main_price(world, placed) + per_second
    assert found.ready == pytest.approx(spans(served) * both, rel=0.01)


@pytest.mark.parametrize("keep_alive", [0.0, 3.0, 300.0])
@pytest.mark.parametrize("seed", range(5))
def test_no_keep_alive_costs_less_than_knowing_all_arrivals(world, keep_alive, seed):
    # Nobody comes while it starts: to let clients wait for each other is cheaper than any promise.
    pauses = 3.0 + np.random.default_rng(seed).exponential(4.0, 12)
    requests = requests_at(world, *np.cumsum(pauses).tolist())
    placed = resident(world, requests)
    contender = Contender(
        name="resident",
        plan=to_plan(placed, Method.MARGINAL),
        profile=world.profile,
        prices=world.offerings.prices,
        main_keep_alive_seconds=keep_alive,
    )
    known, _ = awake(world, placed, requests)

    assert known.cost <= simulate(contender, requests).awake.cost * (1 + 1e-9)
