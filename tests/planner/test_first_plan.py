"""The least used experts become remote, and the plan says why."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from remoe_planner.architecture import Architecture
from remoe_planner.experts import ExpertId
from remoe_planner.grouping import Grouping
from remoe_planner.least_used import FunctionKnobs, plan_least_used
from remoe_planner.memory import MIB, MemoryModel
from remoe_planner.method import Method
from remoe_planner.plan import Plan
from remoe_planner.resident import plan_resident


def model(layers=(1, 2, 4), experts=4, **fields):
    return Architecture(
        **{
            "name": "tiny",
            "revision": "r1",
            "layers": layers,
            "experts_per_layer": experts,
            "top_k": 2,
            "hidden_size": 8,
            "expert_bytes": MIB,
            "main_bytes": 10 * MIB,
        }
        | fields
    )


USE = np.array([[9, 1, 8, 7], [6, 5, 4, 3], [20, 2, 30, 40]], float)


def test_least_used_experts_of_all_layers_together_are_remote():
    plan = plan_least_used(model(), USE, remote_share=4 / 12)
    assert [str(e) for e in plan.remote_experts] == ["1/1", "2/2", "2/3", "4/1"]


def test_the_plan_says_that_use_alone_made_it():
    plan = plan_least_used(model(), USE, remote_share=0.5)
    assert plan.method is Method.LEAST_USED
    assert Plan.from_json(plan.to_json()) == plan


def test_functions_hold_neighbors_in_the_ranking():
    plan = plan_least_used(model(), USE, remote_share=0.5, functions=3)
    assert {f.name: [str(e) for e in f.experts] for f in plan.functions} == {
        "experts-1": ["2/0", "2/1"],
        "experts-2": ["2/2", "2/3"],
        "experts-3": ["1/1", "4/1"],
    }


def test_paper_grouping_has_one_function_per_layer():
    plan = plan_least_used(model(), USE, remote_share=0.5, grouping=Grouping.BY_LAYER, functions=1)
    assert [f.name for f in plan.functions] == ["layer-1", "layer-2", "layer-4"]
    assert all(len({e.layer for e in f.experts}) == 1 for f in plan.functions)


def test_unknown_use_takes_as_many_experts_from_every_layer():
    plan = plan_least_used(model(), np.zeros((3, 4)), remote_share=0.5)
    assert [sum(e.layer == layer for e in plan.remote_experts) for layer in (1, 2, 4)] == [2, 2, 2]
    assert "No activations are recorded" in plan.reasons[0]


def test_no_remote_share_means_no_functions_and_the_resident_memory():
    plan = plan_least_used(model(), USE, remote_share=0)
    assert plan.functions == ()
    assert plan.main_memory_bytes == plan_resident(model()).main_memory_bytes


def test_everything_remote_leaves_no_local_expert():
    assert plan_least_used(model(), USE, remote_share=1).local_experts == ()


def test_memory_is_weights_and_the_stated_allowance():
    memory = MemoryModel(main_working_bytes=5 * MIB, function_working_bytes=3 * MIB)
    knobs = FunctionKnobs(memory=memory)
    plan = plan_least_used(model(), USE, remote_share=0.5, functions=2, knobs=knobs)
    assert [f.memory_bytes for f in plan.functions] == [6 * MIB, 6 * MIB]
    assert plan.main_memory_bytes == (10 + 6 + 5) * MIB


def test_reasons_tell_the_share_of_use_that_leaves():
    reasons = plan_least_used(model(), USE, remote_share=4 / 12, functions=1).reasons
    assert "4 of 12 experts are remote" in reasons[0]
    assert "7.4 % of 135 recorded assignments" in reasons[0]
    assert "4 experts of 3 layers, 7.4 % of the use" in reasons[1]


@given(
    st.lists(st.integers(0, 3), min_size=12, max_size=12),
    st.floats(0, 1),
    st.integers(1, 20),
    st.sampled_from(Grouping),
)
def test_every_plan_is_sound_and_survives_json(counts, share, functions, grouping):
    utility = np.array(counts, float).reshape(3, 4)
    arguments = {"remote_share": share, "functions": functions, "grouping": grouping}
    plan = plan_least_used(model(), utility, **arguments)
    remote = [utility[(1, 2, 4).index(e.layer), e.index] for e in plan.remote_experts]
    local = [utility[(1, 2, 4).index(e.layer), e.index] for e in plan.local_experts]
    assert len(remote) == int(share * 12 + 0.5)
    assert max(remote, default=0) <= min(local, default=9)
    assert Plan.from_json(plan.to_json()) == plan
    assert plan_least_used(model(), utility, **arguments) == plan
    if grouping is Grouping.BY_USE:
        sizes = [len(f.experts) for f in plan.functions]
        assert len(sizes) == min(functions, len(remote))
        assert max(sizes, default=0) - min(sizes, default=0) <= 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"remote_share": 1.5}, r"remote_share must be in 0\.\.1, got 1\.5"),
        ({"remote_share": float("nan")}, r"remote_share must be in 0\.\.1, got nan"),
        ({"functions": 0}, "functions must be >= 1, got 0"),
        ({"utility": np.zeros((2, 4))}, r"utility must have shape \(3, 4\), got \(2, 4\)"),
        ({"utility": np.full((3, 4), -1.0)}, "utility must be finite and >= 0"),
        ({"utility": np.full((3, 4), np.inf)}, "utility must be finite and >= 0"),
    ],
)
def test_argument_out_of_bounds_is_named(change, message):
    arguments = {"utility": USE, "remote_share": 0.5} | change
    with pytest.raises(ValueError, match=message):
        plan_least_used(model(), **arguments)


@pytest.mark.parametrize("knob", [{"max_replicas": 0}, {"keep_alive_seconds": -1.0}])
def test_knob_out_of_bounds_is_named(knob):
    with pytest.raises(ValueError, match=f"{next(iter(knob))} must be"):
        FunctionKnobs(**knob)


def test_negative_working_memory_is_refused():
    with pytest.raises(ValueError, match="main_working_bytes must be >= 0, got -1"):
        MemoryModel(main_working_bytes=-1)


def test_expert_ids_sort_by_layer_then_index():
    assert sorted([ExpertId(2, 0), ExpertId(1, 9)]) == [ExpertId(1, 9), ExpertId(2, 0)]
