"""All on GPU, all on CPU, experts on CPU: beside the same workload."""

from __future__ import annotations

from dataclasses import replace

import pytest
from builders.estimating_world import architecture, machine, routing

from remoe_planner.demand.workload import Workload
from remoe_planner.estimating.alternatives import Alternative, alternatives
from remoe_planner.hardware.devices import A100, XEON_6348, Device
from remoe_planner.hardware.roofline import roofline
from remoe_planner.offerings import Offerings
from remoe_planner.prices import DEFAULT_GPU_PRICES


def found(model=None, **changes):
    model = model or architecture()
    given = {
        "routing": routing(model),
        "workload": Workload(),
        "profile": replace(machine(), measured=True),
        "offerings": Offerings(prices=DEFAULT_GPU_PRICES),
    }
    return {each.alternative: each for each in alternatives(model, **given | changes)}


def test_every_alternative_is_estimated_and_none_has_functions():
    for each in found().values():
        assert each.estimate.function_memory_bytes == 0
        assert each.estimate.latency.tpot_seconds > 0
        assert each.estimate.busy.per_request > 0


def test_what_the_profile_measured_is_not_called_stated():
    assert found()[Alternative.CPU].notes == ()
    assert found()[Alternative.CPU].estimate.profile.endswith("(measured)")


@pytest.mark.parametrize("alternative", [Alternative.GPU, Alternative.MIX])
def test_what_no_profile_measured_says_so(alternative):
    each = found()[alternative]
    assert "stated, not measured" in each.notes[0]
    assert "stated" in each.estimate.profile


def test_a_measured_gpu_leaves_only_the_others_stated():
    given = found(profile=replace(machine(), measured=True, gpu=True))
    assert given[Alternative.MIX].notes == ()
    assert given[Alternative.CPU].notes


def test_a_price_list_without_gpus_takes_the_least_ratio_and_says_so():
    each = found(offerings=Offerings())[Alternative.GPU]
    assert "three times" in each.notes[-1]


def test_keys_and_values_lie_where_attention_is():
    model, work = architecture(), Workload()
    tokens = work.max_prompt_tokens + work.max_output_tokens
    cache = tokens * model.cache_bytes_per_token
    given = found(model)
    assert given[Alternative.MIX].plan.main_gpu_bytes == model.main_bytes + cache
    assert given[Alternative.GPU].plan.main_gpu_bytes == model.total_bytes + cache
    assert given[Alternative.CPU].plan.main_gpu_bytes == 0


def test_a_model_too_large_for_the_gpu_says_how_many_it_needs():
    large = architecture(layers=60, experts=256, top_k=8, expert_bytes=44_000_000)
    assert "9 are needed" in " ".join(found(large)[Alternative.GPU].notes)


def test_a_roofline_says_that_it_is_stated_and_gpus_are_faster():
    model = architecture(main_bytes=4_000_000_000, expert_bytes=50_000_000)
    on_gpu, on_cpu = roofline(model, A100), roofline(model, XEON_6348)
    assert not on_gpu.measured
    assert on_gpu.module.at(1) < on_cpu.module.at(1)
    assert roofline(model, A100, XEON_6348).handover.at(1) > 0


def test_one_row_is_bound_by_memory_and_many_by_arithmetic():
    device = Device(
        name="d", source="s", bytes_per_second=1e9, flops_per_second=1e9, efficiency=1.0,
        launch_seconds=0.0,
    )  # fmt: skip
    assert device.seconds(1000, 10) == pytest.approx(1e-6)
    assert device.seconds(1000, 10_000) == pytest.approx(1e-5)


def test_a_device_without_bandwidth_is_refused():
    with pytest.raises(ValueError, match="bytes_per_second must be > 0"):
        replace(A100, bytes_per_second=0)
