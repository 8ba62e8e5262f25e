import pytest
from builders.contender_settings import a_measured_setting, a_paper_setting

from remoe_planner.planning.promise import keeps
from remoe_simulator.contender import Waking
from remoe_simulator.contenders.ablations import Ablation, ablations
from remoe_simulator.contenders.promises import with_promises


def by_name(setting):
    return {one.name: one for one in ablations(setting)}


@pytest.fixture(scope="module")
def setting():
    return with_promises(a_paper_setting(), ttft=2.0, tpot=2.0)


@pytest.fixture(scope="module")
def found(setting):
    return by_name(setting)


def cost(contender):
    return contender.plan.estimate.busy.per_request


def test_every_part_is_taken_away_once(found):
    assert list(found) == list(Ablation)


@pytest.mark.parametrize("name", [Ablation.CROSS_LAYER, Ablation.REPLICAS, Ablation.PRINTED_BOUND])
def test_no_plan_with_less_to_choose_from_is_cheaper_but_by_luck(found, setting, name):
    # The candidates are a sample of all plans, so a smaller choice may hold a hair's better one.
    luck = 0.01
    assert keeps(found[Ablation.NOTHING].plan.estimate, setting.slo)
    assert cost(found[name]) >= (1 - luck) * cost(found[Ablation.NOTHING])


def test_without_cross_layer_choice_every_layer_is_alike(found):
    plan = found[Ablation.CROSS_LAYER].plan
    sizes = {(len(f.experts), f.memory_bytes, f.max_replicas) for f in plan.functions}

    assert len(sizes) == 1
    assert len(plan.functions) == len(plan.architecture.layers)
    assert keeps(plan.estimate, found[Ablation.CROSS_LAYER].slo)


def test_without_replicas_no_function_has_a_second_one(found):
    assert {one.max_replicas for one in found[Ablation.REPLICAS].plan.functions} == {1}


def test_forecasts_and_pre_warming_leave_the_plan_as_it_is(found):
    whole = found[Ablation.NOTHING]

    assert found[Ablation.FORECASTS].plan == found[Ablation.PRE_WARMING].plan == whole.plan
    assert found[Ablation.FORECASTS].waking is whole.waking is Waking.FORECAST
    assert found[Ablation.PRE_WARMING].waking is Waking.WHEN_CALLED


def test_the_corrected_bound_trusts_functions_with_less(found):
    printed, corrected = (
        found[name].plan.remote_share for name in (Ablation.PRINTED_BOUND, Ablation.CORRECTED_BOUND)
    )

    assert 0 < corrected < printed


def test_a_measured_machine_has_ablations_too():
    assert list(by_name(a_measured_setting())) == list(Ablation)
