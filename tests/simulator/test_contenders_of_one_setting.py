from dataclasses import replace

import pytest
from builders.contender_settings import a_measured_setting, a_paper_setting

from remoe_planner.billing import Billing
from remoe_planner.demand.slo import Slo
from remoe_planner.hardware.devices import A100
from remoe_planner.planning.promise import keeps
from remoe_simulator.contender import ContenderName, Waking
from remoe_simulator.contenders.all_contenders import contenders
from remoe_simulator.contenders.apart import smallest_memory
from remoe_simulator.contenders.paper import paper_offerings, prices_at
from remoe_simulator.contenders.promises import latency_of_mix, with_promises
from remoe_simulator.contenders.resident import fused_on_gpu
from remoe_simulator.contenders.setting import Network, Sizing
from remoe_simulator.contenders.standing import always_on
from remoe_simulator.machines import H100_NODE
from remoe_simulator.models import MODELS

CPU, GPU, MIX, FETCH, PRINTED, OURS, PER_EXPERT, PER_LAYER = ContenderName
PLANNED_OR_ALONE = (CPU, GPU, MIX, FETCH, PRINTED, OURS)


def by_name(setting, *names):
    return {one.name: one for one in contenders(setting, names or tuple(ContenderName))}


def cost(contender):
    return contender.plan.estimate.busy.per_request


def tpot(contender):
    return contender.plan.estimate.latency.tpot_seconds


def test_all_eight_come_from_one_setting_at_the_same_prices():
    found = contenders(a_paper_setting())

    assert [one.name for one in found] == list(ContenderName)
    assert len({one.prices for one in found}) == 1
    assert all(one.plan.estimate is not None for one in found)
    assert all(one.plan.architecture == MODELS["deepseek-v2-lite"] for one in found)


def test_every_expert_lies_where_the_contender_says():
    found = by_name(a_paper_setting())
    model = MODELS["deepseek-v2-lite"]
    experts = model.expert_count * model.expert_bytes

    assert found[CPU].plan.main_gpu_bytes == 0
    assert found[CPU].plan.main_memory_bytes >= model.total_bytes
    assert found[GPU].plan.main_gpu_bytes >= model.total_bytes
    assert found[GPU].plan.main_memory_bytes < experts
    assert found[MIX].plan.main_memory_bytes >= experts
    assert model.main_bytes <= found[MIX].plan.main_gpu_bytes < 1.1 * model.main_bytes
    assert {found[name].plan.remote_share for name in (CPU, GPU, MIX, FETCH)} == {0.0}
    assert {found[name].plan.remote_share for name in (PER_EXPERT, PER_LAYER)} == {1.0}
    assert len(found[PER_EXPERT].plan.functions) == model.expert_count
    assert len(found[PER_LAYER].plan.functions) == len(model.layers)


def test_ideal_offloading_is_as_fast_as_the_gpu_and_holds_experts_twice():
    found = by_name(a_paper_setting(), GPU, MIX, FETCH)
    slots = 6 * MODELS["deepseek-v2-lite"].expert_bytes

    assert found[FETCH].plan.estimate.latency == found[GPU].plan.estimate.latency
    assert found[FETCH].plan.main_memory_bytes == found[MIX].plan.main_memory_bytes
    assert found[FETCH].plan.main_gpu_bytes - found[MIX].plan.main_gpu_bytes == slots
    assert "Ideal" in found[FETCH].note


def test_fused_kernels_make_the_gpu_faster_and_nobody_else():
    setting = a_paper_setting()
    each, fused = by_name(setting, GPU)[GPU], fused_on_gpu(setting)

    saved = tpot(each) - tpot(fused)

    assert saved == pytest.approx(26 * 5 * A100.launch_seconds, rel=1e-2)
    assert fused.plan.main_gpu_bytes == each.plan.main_gpu_bytes
    assert "launch" in fused.note
    assert by_name(setting, GPU)[GPU] == each


def test_costs_are_ordered_as_the_paper_says():
    found = by_name(a_paper_setting(), CPU, GPU, MIX, OURS)

    assert cost(found[OURS]) < cost(found[MIX]) < min(cost(found[CPU]), cost(found[GPU]))


@pytest.mark.parametrize("name", ["gpt2-moe", "deepseek-v2-lite", "qwen3-30b-a3b", "mixtral-8x7b"])
@pytest.mark.parametrize("times", [1.0, 1.1, 1.5, 4.0])
def test_ours_keeps_what_mix_keeps_and_is_never_dearer(name, times):
    setting = with_promises(a_paper_setting(name), ttft=times, tpot=times)

    found = by_name(setting, MIX, OURS)

    assert found[MIX].note == found[OURS].note == ""
    assert keeps(found[OURS].plan.estimate, setting.slo)
    assert cost(found[OURS]) <= cost(found[MIX])


@pytest.mark.parametrize("billing", list(Billing))
def test_ours_is_never_dearer_than_mix_under_either_billing(billing):
    base = a_paper_setting()
    offerings = paper_offerings(base.architecture, billing=billing)
    setting = with_promises(replace(base, offerings=offerings), ttft=2.0, tpot=2.0)

    found = by_name(setting, MIX, OURS)

    ours, mix = (found[name].plan.estimate.under(billing).per_request for name in (OURS, MIX))
    assert ours <= mix


def test_a_promise_that_is_missed_stands_in_the_note():
    setting = replace(a_paper_setting(), slo=Slo(tpot_seconds=0.02))

    found = by_name(setting, CPU, GPU)

    assert "TPOT of 20.0 ms cannot be promised" in found[CPU].note
    assert found[GPU].note == ""


def test_a_dearer_gpu_makes_only_those_dearer_that_have_one():
    cheap, dear = (by_name(a_paper_setting(price_ratio=ratio), CPU, GPU) for ratio in (3.0, 20.0))

    assert cost(dear[CPU]) == cost(cheap[CPU])
    assert 5 < cost(dear[GPU]) / cost(cheap[GPU]) <= 20 / 3


def test_a_farther_network_never_makes_functions_cheaper():
    near, far = (
        by_name(a_paper_setting(network=network), MIX, PER_LAYER)
        for network in (None, Network(bytes_per_second=1.25e8, round_trip_seconds=2e-3))
    )

    assert cost(far[PER_LAYER]) > cost(near[PER_LAYER])
    assert cost(far[MIX]) == cost(near[MIX])


@pytest.mark.parametrize("name", [PER_EXPERT, PER_LAYER])
def test_functions_sized_kindly_are_cheaper_than_the_smallest(name):
    smallest, kindest = (
        by_name(a_paper_setting(sizing=sizing), name)[name]
        for sizing in (Sizing.SMALLEST, Sizing.CHEAPEST)
    )

    assert cost(kindest) < cost(smallest)
    assert kindest.plan.remote_experts == smallest.plan.remote_experts
    sizes = a_paper_setting().offerings.function_memory.sizes
    assert {one.memory_bytes for one in kindest.plan.functions} <= set(sizes.tolist())


def test_the_smallest_memory_is_a_row_of_its_own():
    setting = a_paper_setting()

    found = smallest_memory(setting)

    assert [one.name for one in found] == [
        "function per expert, smallest memory",
        "function per layer, smallest memory",
    ]
    for one, kind in zip(found, contenders(setting, (PER_EXPERT, PER_LAYER)), strict=True):
        assert cost(one) > cost(kind)


def test_a_model_too_large_for_one_gpu_says_how_many_it_takes():
    found = by_name(a_paper_setting("mixtral-8x7b"), GPU, MIX)

    assert "2 are needed" in found[GPU].note
    assert "needed" not in found[MIX].note


def test_functions_larger_than_any_on_offer_say_so():
    found = by_name(a_paper_setting("deepseek-v3"), PER_LAYER)

    assert "larger than those on offer" in found[PER_LAYER].note


def test_a_host_larger_than_any_on_offer_says_so():
    base = a_paper_setting()
    small = replace(base.offerings.main_memory, most_bytes=base.offerings.main_memory.least_bytes)
    setting = replace(base, offerings=replace(base.offerings, main_memory=small))

    found = by_name(setting, CPU, GPU)

    assert "largest main model on offer" in found[CPU].note
    assert "largest main model" in found[GPU].note


def test_only_ours_and_the_printed_one_look_ahead():
    found = contenders(a_paper_setting())

    ahead = {one.name for one in found if one.waking is Waking.FORECAST}
    assert ahead == {OURS, PRINTED}


def test_the_same_setting_gives_the_same_contenders():
    setting = a_paper_setting(machine=H100_NODE)

    assert contenders(setting, PLANNED_OR_ALONE) == contenders(setting, PLANNED_OR_ALONE)


def test_on_a_measured_machine_only_gpu_contenders_are_stated():
    found = by_name(a_measured_setting())

    stated = {name for name, one in found.items() if "stated" in one.note}
    assert stated == {GPU, MIX, FETCH}
    assert all("times other memory" in found[name].note for name in stated)
    assert {one.profile.measured for name, one in found.items() if name not in stated} == {True}
    assert found[OURS].plan.main_gpu_bytes == 0


def test_mix_keeps_promises_of_once_its_own_latency():
    setting = with_promises(a_paper_setting(), ttft=1.0, tpot=1.0)

    had = latency_of_mix(setting)

    assert had.tpot_at_percentile_seconds <= setting.slo.tpot_seconds
    assert had.ttft_at_percentile_seconds <= setting.slo.ttft_seconds


def test_promises_and_prices_out_of_bounds_are_refused():
    with pytest.raises(ValueError, match="tpot must be > 0"):
        with_promises(a_paper_setting(), tpot=0.0)
    with pytest.raises(ValueError, match="ratio must be > 0"):
        prices_at(0.0)


def test_always_on_keeps_a_replica_of_everything():
    found = by_name(a_paper_setting(), PER_LAYER)[PER_LAYER]

    standing = always_on(found)

    assert {one.min_replicas for one in standing.plan.functions} == {1}
    assert standing.main_keep_alive_seconds is None
    assert standing.name != found.name
