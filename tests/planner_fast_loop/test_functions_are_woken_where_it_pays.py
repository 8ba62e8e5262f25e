"""The wake decision: benefit against cost, in time, and never for what is awake already."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from planner_fast_loop.loop_world import (
    EXPERTS,
    LAYERS,
    POPULAR,
    RARE,
    SPREAD,
    chosen,
    function,
    plan,
    standing,
    worth,
)

from remoe_planner.demand.slo import Slo
from remoe_planner.fast_loop.demand import Phase, function_demand
from remoe_planner.fast_loop.function_table import FunctionTable
from remoe_planner.fast_loop.situation import PassTimes, Standing, Worth
from remoe_planner.prices import Prices

quick = settings(max_examples=80, deadline=None)
tokens = st.integers(0, 400)


def names(choice):
    return [wake.function for wake in choice.wakes]


def test_function_that_is_needed_is_woken_and_one_that_is_not_is_left_alone():
    assert names(chosen()) == ["f0"]


def test_function_that_is_awake_or_starting_is_not_woken_again():
    assert names(chosen(stands=standing((1, 0), main_ready_seconds=10.0))) == []


def test_long_answer_makes_a_rare_function_worth_waking():
    slow = PassTimes(touch_seconds=1.0, step_seconds=0.5)
    value = worth(function_gib_second=0.001)
    assert names(chosen(answer=0, prompt=0, times=slow, value=value)) == []
    assert names(chosen(answer=20_000, prompt=0, times=slow, value=value)) == ["f0", "f1"]


def test_function_is_woken_no_sooner_than_the_main_model_needs_it():
    (early,) = chosen(stands=standing(main_ready_seconds=10.0, start=2.0)).wakes
    slow, cheap = standing(main_ready_seconds=10.0, start=20.0), worth(function_gib_second=0.01)
    late = chosen(stands=slow, value=cheap, answer=2000).wakes[0]
    assert early.after_seconds == pytest.approx(10.0 - 1.3 * 2.0)
    assert late.after_seconds == 0.0


def test_after_prefill_only_the_answer_counts():
    elsewhere = np.tile([0.5, 0.5, 0, 0, 0, 0, 0, 0.0], (LAYERS, 1))
    before = chosen(answer=0)
    after = chosen(prompt=0, spread=elsewhere, stands=standing(main_ready_seconds=0.0))
    assert names(before) == ["f0"]
    assert names(after) == []
    assert after.probability.tolist() == [0.0, 0.0]


def test_answer_that_turns_to_a_function_wakes_it_after_prefill():
    turned = np.tile([0.24, 0.24, 0.24, 0.24, 0, 0, 0.02, 0.02], (LAYERS, 1))
    late = chosen(prompt=0, answer=200, spread=turned, stands=standing())
    assert names(late) == ["f1"]


def test_dear_memory_is_not_woken_for_cheap_seconds():
    assert names(chosen(value=worth(function_gib_second=100.0, main_second=1e-3))) == []


def test_slo_at_risk_makes_seconds_dearer():
    value = Worth(function_gib_second=1.0, main_second=1.0, slo=Slo(ttft_seconds=10.0))
    relaxed = value.before_first_token(1.0)
    assert relaxed == pytest.approx(11.0)
    assert value.before_first_token(7.5) > relaxed
    assert value.before_first_token(99.0) == pytest.approx(111.0)
    assert value.in_answer(99.0) == pytest.approx(11.0)


@pytest.mark.parametrize("price", [20.0, 40.0])
def test_only_a_first_token_at_risk_makes_replicas_of_a_burst_worth_more(price):
    even = np.full((LAYERS, EXPERTS), 1 / EXPERTS)

    def replicas(slo):
        (wake,) = chosen(
            made=plan(function("f0", range(8))),
            stands=standing((0,), main_ready_seconds=10.0),
            times=PassTimes(remote_row_seconds=0.5, touch_seconds=100.0),
            value=worth(function_gib_second=price, slo=slo),
            spread=even,
            prompt=400,
        ).wakes
        return wake.replicas

    relaxed = replicas(Slo(ttft_seconds=1e3, tpot_seconds=1e3))
    assert replicas(Slo(ttft_seconds=1e3, tpot_seconds=1e-9)) == relaxed
    assert replicas(Slo(ttft_seconds=1.0, tpot_seconds=1e3)) > relaxed


def test_function_that_others_use_is_cheaper_to_wake():
    busy = standing(main_ready_seconds=10.0, others_per_second=np.array([1.0, 1.0]))
    alone = standing(main_ready_seconds=10.0)
    assert np.all(chosen(stands=busy).cost <= chosen(stands=alone).cost)
    assert chosen(stands=busy).cost[1] < chosen(stands=alone).cost[1] / 2


def test_prefill_burst_is_given_replicas_and_a_short_prompt_is_not():
    made = plan(function("f0", range(8)))
    stands = standing((0,), main_ready_seconds=10.0)
    times = PassTimes(remote_row_seconds=0.5, touch_seconds=0.2)
    value = worth()
    even = np.full((LAYERS, EXPERTS), 1 / EXPERTS)
    common = {"made": made, "stands": stands, "times": times, "value": value, "spread": even}
    (burst,) = chosen(prompt=400, **common).wakes
    (short,) = chosen(prompt=1, **common).wakes
    assert burst.replicas == 4
    assert short.replicas == 1


def test_function_awake_is_given_more_replicas_for_a_burst_that_is_yet_to_come():
    made = plan(function("f0", range(8)))
    stands = standing((1,), main_ready_seconds=10.0)
    even = np.full((LAYERS, EXPERTS), 1 / EXPERTS)
    times = PassTimes(remote_row_seconds=0.5)
    cheap = worth(function_gib_second=0.01)
    (wake,) = chosen(
        made=made, stands=stands, prompt=400, spread=even, times=times, value=cheap
    ).wakes
    assert wake.replicas > 1


def test_replicas_that_would_come_too_late_are_not_asked_for():
    made = plan(function("f0", range(8)))
    even = np.full((LAYERS, EXPERTS), 1 / EXPERTS)
    late = standing((1,), main_ready_seconds=0.0, start=1000.0)
    choice = chosen(
        made=made, stands=late, prompt=400, spread=even, value=worth(function_gib_second=0.01)
    )
    assert choice.wakes == ()


@quick
@given(tokens, tokens, tokens)
def test_more_tokens_never_make_a_function_less_likely_to_be_used(prompt, answer, more):
    few, many = chosen(prompt=prompt, answer=answer), chosen(prompt=prompt + more, answer=answer)
    assert np.all(many.probability >= few.probability - 1e-12)
    assert np.all((few.probability >= 0) & (many.probability <= 1))


@quick
@given(tokens, tokens, st.floats(0, 30), st.floats(0, 30))
def test_nothing_is_woken_that_costs_more_than_it_saves(prompt, answer, ready, start):
    choice = chosen(
        prompt=prompt, answer=answer, stands=standing(main_ready_seconds=ready, start=start)
    )
    assert np.all(choice.cost[choice.chosen] < choice.benefit[choice.chosen])
    assert np.all(choice.replicas <= 4)
    assert np.all(choice.after_seconds <= ready)
    assert np.all(np.isfinite([choice.benefit, choice.cost]))


@quick
@given(tokens, tokens, st.floats(0.001, 100))
def test_cheaper_functions_are_woken_whenever_dearer_ones_are(prompt, answer, price):
    dear = chosen(prompt=prompt, answer=answer, value=worth(function_gib_second=price))
    cheap = chosen(prompt=prompt, answer=answer, value=worth(function_gib_second=price / 2))
    assert np.all(cheap.chosen >= dear.chosen)


def test_demand_counts_each_functions_experts_in_every_layer():
    table = FunctionTable.of(plan())
    phase = Phase(frequencies=SPREAD, tokens=10)
    demand = function_demand(table, phase, Phase(frequencies=SPREAD, tokens=3), clustering=0)
    for i, indices in enumerate((POPULAR, RARE)):
        share = SPREAD[:, list(indices)].sum()
        assert demand.prompt_rows[i] == pytest.approx(share * 10 * 2)
        assert demand.step_rows[i] == pytest.approx(share * 2)
        assert demand.probability[i] == pytest.approx(1 - np.exp(-share * 13 * 2))


def test_plan_without_functions_has_nothing_to_wake():
    empty = FunctionTable.of(
        type(plan())(architecture=plan().architecture, functions=(), main_memory_bytes=1)
    )
    phase = Phase(frequencies=SPREAD, tokens=5)
    from remoe_planner.fast_loop.wake_choice import choose_wakes

    found = choose_wakes(empty, standing(()), PassTimes(), worth(), prompt=phase, answer=phase)
    assert found.wakes == ()


def test_choice_says_why():
    said = chosen().reason("f1")
    assert said.startswith("f1 is left alone: needed with ")
    with pytest.raises(ValueError, match="not in tuple"):
        chosen().reason("nobody")


def test_price_list_and_plan_make_the_worth_of_a_second():
    prices = Prices(main_gib_second=2.0, function_gib_second=3.0, gpu_gib_second=10.0)
    value = Worth.of(plan(main_gpu_bytes=1 << 30), prices)
    assert value.function_gib_second == 3.0
    assert value.main_second == pytest.approx(4 * 2.0 + 10.0)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Phase(frequencies=SPREAD, tokens=-1), "tokens must be >= 0, got -1"),
        (lambda: Phase(frequencies=SPREAD * np.nan, tokens=1), "frequencies must be finite"),
        (lambda: PassTimes(touch_seconds=-1.0), "touch_seconds must be finite and >= 0"),
        (lambda: PassTimes(step_seconds=0.0), "step_seconds must be > 0"),
        (lambda: worth(waiting=float("inf")), "waiting must be finite"),
        (lambda: standing(main_ready_seconds=-1.0), "main_ready_seconds must be finite"),
        (
            lambda: Standing(replicas=np.zeros(2, np.int64), start_seconds=np.zeros(3)),
            "start_seconds must have shape",
        ),
        (lambda: chosen(stands=standing((0,))), "standing must have 2 functions, got 1"),
        (lambda: chosen(spread=SPREAD[:1]), "forecast must have shape"),
    ],
)
def test_impossible_values_are_refused(make, said):
    with pytest.raises(ValueError, match=said):
        make()
