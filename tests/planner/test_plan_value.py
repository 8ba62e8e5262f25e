"""A plan is a value: shown as rows, compared, refused where it contradicts itself."""

import json

import numpy as np
import pytest

from remoe_planner.architecture import Architecture
from remoe_planner.difference import Move, difference
from remoe_planner.experts import ExpertId
from remoe_planner.plan import FunctionPlan, Plan
from remoe_planner.table import plan_rows

TINY = Architecture(
    name="tiny",
    revision="r1",
    layers=(0, 1),
    experts_per_layer=2,
    top_k=1,
    hidden_size=4,
    expert_bytes=100,
    main_bytes=1000,
)


def plan(main=5000, architecture=TINY, **functions):
    return Plan(
        architecture=architecture,
        functions=tuple(
            FunctionPlan(
                name=name,
                experts=tuple(ExpertId.parse(e) for e in experts.split()),
                memory_bytes=300,
            )
            for name, experts in functions.items()
        ),
        main_memory_bytes=main,
    )


def test_rows_tell_each_part_once_and_shares_add_up():
    utility = np.array([[1, 2], [3, 4]], float)
    main, one = plan(a="0/0 1/1"), plan_rows(plan(a="0/0 1/1"), utility)
    assert [(row.part, row.experts, row.layers, row.weight_bytes) for row in one] == [
        ("main", 2, 2, 1200),
        ("a", 2, 2, 200),
    ]
    assert [row.use_share for row in one] == [0.5, 0.5]
    assert one[0].memory_bytes == main.main_memory_bytes


def test_rows_without_a_history_leave_the_use_open():
    assert [row.use_share for row in plan_rows(plan(a="0/0"))] == [None, None]


def test_difference_lists_moves_and_functions_that_come_and_go():
    changes = difference(plan(a="0/0", b="0/1"), plan(a="0/0 1/1", c="0/1", main=4000))
    assert changes.moves == (
        Move(expert=ExpertId(0, 1), before="b", after="c"),
        Move(expert=ExpertId(1, 1), before=None, after="a"),
    )
    assert (changes.added, changes.removed, changes.changed) == (("c",), ("b",), ("a",))
    assert changes.main_memory_bytes == -1000


def test_difference_of_equal_plans_is_empty():
    assert difference(plan(a="0/0"), plan(a="0/0")).is_empty
    assert not difference(plan(a="0/0"), plan(a="0/0", main=1)).is_empty


def test_plans_of_different_revisions_are_not_compared():
    from dataclasses import replace

    other = plan(architecture=replace(TINY, revision="r2"))
    with pytest.raises(ValueError, match="tiny at r1 and tiny at r2"):
        difference(plan(), other)


def test_expert_served_twice_is_refused():
    with pytest.raises(ValueError, match="served by one function at most"):
        plan(a="0/0", b="0/0")


def test_expert_the_model_has_not_is_refused():
    with pytest.raises(ValueError, match="the model has no experts 0/7"):
        plan(a="0/7")


@pytest.mark.parametrize("text", ["[]", "null", "{}", '"plan"', "{", '{"version": 99}'])
def test_text_that_is_no_plan_is_a_value_error(text):
    with pytest.raises(ValueError, match=r"plan|Expecting"):
        Plan.from_json(text)


def test_plan_with_a_strange_field_is_refused():
    body = json.loads(plan(a="0/0").to_json())
    body["functions"][0]["color"] = "red"
    with pytest.raises(ValueError, match="color"):
        Plan.from_json(json.dumps(body))
