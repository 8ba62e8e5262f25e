from dataclasses import replace

import numpy as np
import pytest
from builders.limit_worlds import GRID, a_problem, a_request, a_world_of
from builders.planning_worlds import a_profile, an_architecture
from hypothesis import given, settings
from hypothesis import strategies as st

from remoe_planner.hardware.profile import MainTime
from remoe_planner.memory import MIB
from remoe_planner.planning.placing import place, resident_homes
from remoe_simulator.limit.floor import floor
from remoe_simulator.limit.habits import Habits
from remoe_simulator.limit.playing import alone
from remoe_simulator.limit.recipe import Cook, Recipe, dealt


def cost_of(placed, request, world):
    return alone(placed, [request], world)[0].busy.cost


@st.composite
def placements(draw):
    layers, experts = draw(st.integers(1, 3)), draw(st.sampled_from([4, 6]))
    top_k = draw(st.integers(1, 3))
    functions = draw(st.integers(1, 5))
    cells = layers * experts
    homes = draw(st.lists(st.integers(0, functions), min_size=cells, max_size=cells))
    sizes = draw(st.lists(st.integers(1, 21), min_size=functions, max_size=functions))
    return {
        "architecture": an_architecture(layers, experts, top_k, main_mib=64),
        "homes": np.array(homes).reshape(layers, experts),
        "sizes": np.array(sizes) * 100.0 * MIB,
        "replicas": draw(st.integers(1, 4)),
        "seed": draw(st.integers(0, 9)),
        "call_seconds": draw(st.sampled_from([1e-5, 5e-4, 5e-3])),
        "overlap": draw(st.sampled_from([1.0, 0.6])),
        "fee": draw(st.sampled_from([0.0, 1e-7])),
    }


@settings(max_examples=150, deadline=None)
@given(placements())
def test_no_placement_costs_less_than_the_floor(drawn):
    profile = a_profile(
        call_seconds=drawn["call_seconds"], overlap=drawn["overlap"], prefill_chunk=16
    )
    world = a_world_of(drawn["architecture"], profile=profile, call=drawn["fee"])
    request = a_request(drawn["architecture"], drawn["seed"])
    problem = a_problem(world, request)
    _, dense = np.unique(np.append(0, drawn["homes"].ravel()), return_inverse=True)
    homes = dense[1:].reshape(drawn["homes"].shape)
    placed = place(
        problem,
        homes,
        memory_bytes=drawn["sizes"][: homes.max()],
        max_replicas=drawn["replicas"],
    )

    assert placed is not None
    assert cost_of(placed, request, world) >= floor(problem, request) * (1 - 1e-9)


def test_floor_is_what_everything_resident_costs_where_calls_take_seconds():
    architecture = an_architecture(layers=2, experts=4, expert_mib=1, main_mib=64)
    world = a_world_of(architecture, profile=a_profile(call_seconds=5.0, prefill_chunk=16))
    request = a_request(architecture, 1)
    problem = a_problem(world, request)
    resident = place(problem, resident_homes(problem))

    assert floor(problem, request) == pytest.approx(cost_of(resident, request, world), rel=1e-6)


def test_floor_is_nearly_reached_where_every_expert_has_a_function():
    # One pick a layer: nothing can meet, so the only slack is in sizes.
    architecture = an_architecture(layers=2, experts=4, top_k=1, expert_mib=150)
    offered = {"main_price": 1e-3, "function_price": 1e-6}
    profile = a_profile(prefill_chunk=32, remote_factor=0.1, call_seconds=1e-5)
    world = a_world_of(architecture, profile=profile, **offered)
    request = a_request(architecture, 2, prompt=8)
    problem = a_problem(world, request)
    homes = np.arange(1, 9).reshape(2, 4)
    placed = place(problem, homes, memory_bytes=np.full(8, 1900.0 * MIB))

    cost = cost_of(placed, request, world)
    assert floor(problem, request) <= cost <= 1.05 * floor(problem, request)


@pytest.mark.parametrize("lucky", [{"deviation": 1e-4}, {"alone": True}])
def test_floor_refuses_profiles_that_it_does_not_bound(lucky):
    architecture = an_architecture()
    world = a_world_of(architecture)
    request = a_request(architecture, 0)
    profile = a_profile(deviation=lucky.get("deviation", 0.0))
    if "alone" in lucky:
        profile = replace(profile, alone=an_own_time(profile))
    problem = a_problem(replace(world, profile=profile), request)

    with pytest.raises(ValueError, match="floor"):
        floor(problem, request)


def an_own_time(profile):
    return MainTime(
        module=profile.module, step=profile.step, local_expert=profile.local_expert, main_cores=8.0
    )


def test_a_request_costs_the_same_whatever_is_served_beside_it():
    architecture = an_architecture()
    world = a_world_of(architecture)
    requests = [a_request(architecture, seed) for seed in range(4)]
    problem = a_problem(world, requests[0])
    placed = place(problem, resident_homes(problem))

    together = alone(placed, requests, world)
    assert [one.name for one in together] == ["0", "1", "2", "3"]
    assert together[2].busy == alone(placed, requests[2:3], world)[0].busy


class TestRecipes:
    @pytest.fixture
    def world(self):
        return a_world_of(an_architecture(layers=3, experts=8))

    @pytest.fixture
    def requests(self, world):
        return [a_request(world.architecture, seed) for seed in range(3)]

    @pytest.fixture
    def habits(self, world, requests):
        return Habits.of(requests, world.profile)

    def test_meetings_count_steps_that_pick_both(self, requests, habits):
        picks = np.concatenate([each.answer_picks[:, 1] for each in requests])
        both = [(2 in row) and (5 in row) for row in picks.tolist()]

        assert habits.meetings[1, 2, 5] == habits.meetings[1, 5, 2] == sum(both)

    def test_most_used_experts_stay(self, habits):
        homes = dealt(habits, kept=5, functions=4)

        stay = habits.use[homes == 0]
        assert len(stay) == 5
        assert stay.min() >= habits.use[homes > 0].max()

    def test_functions_are_numbered_without_gaps_and_hold_alike_much(self, habits):
        homes = dealt(habits, kept=0, functions=4)

        counts = [np.bincount(layer, minlength=5)[1:] for layer in homes]
        assert np.unique(homes).tolist() == [1, 2, 3, 4]
        assert all(count.max() <= 2 for count in counts)

    def test_experts_that_are_picked_together_lie_apart(self):
        meetings = np.zeros((1, 4, 4), np.float32)
        meetings[0, 0, 1] = meetings[0, 1, 0] = meetings[0, 2, 3] = meetings[0, 3, 2] = 9
        habits = Habits(use=np.ones((1, 4)), meetings=meetings)

        homes = dealt(habits, kept=0, functions=2)[0]
        assert homes[0] != homes[1]
        assert homes[2] != homes[3]

    def test_search_is_never_dearer_than_a_recipe_it_tries(self, world, requests, habits):
        problem = a_problem(world, requests[0])
        cook = Cook(problem=problem, habits=habits)

        def cost(placed):
            return sum(one.busy.cost for one in alone(placed, requests, world))

        best = cook.best(cost)
        plain = Recipe(kept_share=0.0, functions=64, memory_bytes=GRID.most_bytes, replicas=1)
        resident = Recipe(kept_share=1.0, functions=64, memory_bytes=GRID.most_bytes, replicas=1)
        assert cost(best) <= min(cost(cook.placed(plain)), cost(cook.placed(resident)))

    def test_search_without_anything_that_will_do_finds_nothing(self, world, requests, habits):
        cook = Cook(problem=a_problem(world, requests[0]), habits=habits)

        assert cook.best(lambda placed: float("inf")) is None
