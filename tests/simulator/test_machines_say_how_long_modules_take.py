from dataclasses import replace

import pytest
from builders.planning_worlds import a_profile, an_architecture

from remoe_planner.hardware.devices import A100, XEON_6348
from remoe_simulator.machines import (
    H100_NODE,
    PAPER_SERVER,
    PREFILL_CHUNK,
    MeasuredMachine,
    with_network,
)
from remoe_simulator.models import MODELS, PUBLISHED

LITE = MODELS["deepseek-v2-lite"]


def decode_seconds(profile, architecture):
    """Of one token, without context."""
    layer = float(profile.module.at(1.0) + 2 * profile.handover.at(1.0))
    expert = float(profile.local_expert.seconds(1.0, profile.main_cores))
    return len(architecture.layers) * (layer + architecture.top_k * expert)


def test_a_step_on_the_papers_server_takes_what_its_bytes_say():
    read = LITE.main_bytes - PUBLISHED["deepseek-v2-lite"].gathered_bytes
    experts = 26 * 6 * LITE.expert_bytes
    on_gpu = (read + experts) / (0.6 * 2.039e12) + 26 * 7 * 5e-5
    on_cpu = (read + experts) / (0.6 * 204.8e9) + 26 * 7 * 2e-5

    assert decode_seconds(PAPER_SERVER.on_gpu(LITE), LITE) == pytest.approx(on_gpu, rel=1e-6)
    assert decode_seconds(PAPER_SERVER.on_cpu(LITE), LITE) == pytest.approx(on_cpu, rel=1e-6)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("machine", [PAPER_SERVER, H100_NODE], ids=lambda one: one.name)
def test_experts_on_the_cpu_lie_between_all_on_it_and_all_on_the_gpu(machine, name):
    model = MODELS[name]
    cpu, both, gpu = (
        decode_seconds(profile, model)
        for profile in (machine.on_cpu(model), machine.on_both(model), machine.on_gpu(model))
    )

    assert gpu < both < cpu


@pytest.mark.parametrize("name", MODELS)
def test_the_newer_node_is_faster_at_every_placement(name):
    model = MODELS[name]
    for where in ("on_cpu", "on_both", "on_gpu"):
        old, new = (
            decode_seconds(getattr(machine, where)(model), model)
            for machine in (PAPER_SERVER, H100_NODE)
        )
        assert new < old


def test_profiles_are_marked_as_stated_and_say_whether_there_is_a_gpu():
    profiles = [PAPER_SERVER.on_cpu(LITE), PAPER_SERVER.on_both(LITE), PAPER_SERVER.on_gpu(LITE)]

    assert [profile.gpu for profile in profiles] == [False, True, True]
    assert not any(profile.measured for profile in profiles)
    assert {profile.prefill_chunk for profile in profiles} == {PREFILL_CHUNK}
    assert len({profile.name for profile in profiles}) == 3


@pytest.mark.parametrize("name", ["deepseek-v3", "gpt-oss-20b", "mixtral-8x7b"])
def test_weights_of_few_bits_save_reading_and_no_arithmetic(name):
    model = PUBLISHED[name]
    rows = 4096.0
    arithmetic = 2 * model.expert_parameters * rows / (0.6 * XEON_6348.flops_per_second)

    profile = PAPER_SERVER.on_both(model.architecture)
    seconds = profile.local_expert.seconds(rows, profile.main_cores)

    assert float(seconds) == pytest.approx(arithmetic + XEON_6348.launch_seconds, rel=1e-3)


def test_grouped_experts_share_one_launch_on_every_device():
    grouped = replace(PAPER_SERVER, grouped=True)

    for where, device in (("on_gpu", A100), ("on_cpu", XEON_6348)):
        each, together = (getattr(one, where)(LITE) for one in (PAPER_SERVER, grouped))
        saved = decode_seconds(each, LITE) - decode_seconds(together, LITE)
        assert saved == pytest.approx(26 * 5 * device.launch_seconds)


def test_a_model_that_nobody_published_reads_all_of_its_bytes():
    tiny = an_architecture(layers=2, main_mib=64)

    module = PAPER_SERVER.on_cpu(tiny).module.at(1.0)

    assert float(module) == pytest.approx(32 * 2**20 / (0.6 * 204.8e9) + 2e-5)


def test_a_measured_machine_keeps_what_was_measured_and_states_the_rest():
    profile = replace(a_profile(), measured=True, name="somebody's laptop")
    machine = MeasuredMachine(profile=profile)
    tiny = an_architecture()

    both, gpu = machine.on_both(tiny), machine.on_gpu(tiny)

    assert machine.on_cpu(tiny) is profile
    assert both.local_expert == profile.local_expert
    assert both.module == gpu.module != profile.module
    assert {both.gpu, gpu.gpu} == {True}
    assert {both.measured, gpu.measured} == {False}
    assert both.main_start == profile.main_start
    assert "laptop" in both.name


def test_a_farther_network_only_changes_calls():
    near = PAPER_SERVER.on_both(LITE)

    far = with_network(near, bytes_per_second=1.25e8, round_trip_seconds=2e-3)

    assert far.call.mean_seconds == pytest.approx(near.call.mean_seconds + 2e-3)
    assert far.call.bytes_per_second == 1.25e8
    assert replace(far, call=near.call) == near


@pytest.mark.parametrize(("rate", "way"), [(0.0, 1e-3), (1e9, -1e-3), (1e9, float("nan"))])
def test_an_impossible_network_is_refused(rate, way):
    with pytest.raises(ValueError, match=r"bytes_per_second|round_trip_seconds"):
        with_network(PAPER_SERVER.on_both(LITE), rate, way)
