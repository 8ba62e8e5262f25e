"""What the main model is given: on the grid, enough for the SLO at its worst, and no more."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from planner_preallocation.allocation_world import (
    EXPERTS,
    LAYERS,
    architecture,
    offerings,
    profile,
    prompts,
    routing,
)

from remoe_planner.demand.slo import Slo
from remoe_planner.demand.workload import Workload
from remoe_planner.memory import GIB, MIB
from remoe_planner.offerings import MemoryGrid
from remoe_planner.preallocation.bound import Bound
from remoe_planner.preallocation.preallocation import (
    PRINTED_KNOBS,
    PreallocationKnobs,
    Preallocator,
    preallocate,
)

PAST = routing(*prompts(120, seed=2))
KNOBS = [PRINTED_KNOBS] + [
    PreallocationKnobs(bound=bound, per_layer=per_layer, step=0.125)
    for bound in Bound
    for per_layer in (False, True)
]
MADE = [Preallocator(architecture(), PAST, profile(), offerings(), knobs=knobs) for knobs in KNOBS]

quick = settings(max_examples=60, deadline=None)
seconds = st.floats(0.05, 4.0)
per_token = st.floats(0.005, 0.08)


def allocated(which=-1, ttft=None, tpot=None, **changes):
    asked = {"prompt_tokens": 128, "output_tokens": 64, "cold_probability": 0.0} | changes
    return MADE[which].allocate(Slo(ttft_seconds=ttft, tpot_seconds=tpot), **asked)


@quick
@given(st.integers(0, len(MADE) - 1), seconds, per_token, st.floats(1, 3), st.floats(1, 3))
def test_looser_slo_is_never_given_more_memory(which, ttft, tpot, more, longer):
    tight = allocated(which, ttft, tpot)
    loose = allocated(which, ttft * more, tpot * longer)
    if tight.feasible:
        assert loose.feasible
        assert loose.main_memory_bytes <= tight.main_memory_bytes


@quick
@given(st.integers(0, len(MADE) - 1), seconds, per_token, st.integers(1, 1000))
def test_memory_is_on_the_grid_and_what_is_called_feasible_holds(which, ttft, tpot, tokens):
    found = allocated(which, ttft, tpot, prompt_tokens=tokens)
    assert found.main_memory_bytes in offerings().main_memory.sizes
    assert len(found.remote_counts) == LAYERS
    assert all(0 <= count <= EXPERTS for count in found.remote_counts)
    if found.feasible:
        assert found.worst_ttft_seconds <= ttft
        assert found.worst_tpot_seconds <= tpot
        local = LAYERS * EXPERTS - sum(found.remote_counts)
        assert found.main_memory_bytes >= 200 * MIB + local * architecture().expert_bytes


def test_without_a_promise_every_expert_may_be_remote():
    found = allocated()
    assert found.remote_share == 1.0
    assert found.feasible


def test_tight_slo_keeps_experts_local():
    loose, tight = allocated(tpot=1.0), allocated(tpot=0.015)
    assert tight.feasible
    assert 0 < tight.remote_share < loose.remote_share
    assert tight.main_memory_bytes > loose.main_memory_bytes


def test_slo_that_nothing_holds_is_called_infeasible_and_the_best_is_told():
    found = allocated(ttft=1e-4)
    assert not found.feasible
    assert found.worst_ttft_seconds > 1e-4


def test_memory_that_is_not_on_offer_is_infeasible():
    small = replace(offerings(), main_memory=MemoryGrid(least_bytes=MIB, most_bytes=150 * MIB))
    found = preallocate(
        architecture(), PAST, profile(), small, workload=Workload(), slo=Slo(ttft_seconds=100)
    )
    assert not found.feasible
    assert found.main_memory_bytes <= 150 * MIB


def test_every_layer_alone_is_given_no_more_memory_than_one_share_for_all():
    same = KNOBS.index(PreallocationKnobs(bound=Bound.QUANTILE, per_layer=False, step=0.125))
    for tpot in (0.012, 0.014, 0.016, 0.018):
        one, own = allocated(same, tpot=tpot), allocated(same + 1, tpot=tpot)
        assert own.main_memory_bytes <= one.main_memory_bytes


def test_start_of_the_main_model_counts_where_it_is_likely_enough():
    warm, cold = allocated(cold_probability=0.04), allocated(cold_probability=0.06)
    assert cold.worst_ttft_seconds >= warm.worst_ttft_seconds + 1.0


def test_experts_on_a_gpu_machine_leave_the_other_weights_out_of_main_memory():
    big = architecture(main_bytes=2 * GIB)
    slo = Slo(ttft_seconds=100)
    on_cpu, on_gpu = (
        preallocate(big, PAST, profile(), offerings(gpu=gpu), workload=Workload(), slo=slo)
        for gpu in (False, True)
    )
    assert on_cpu.main_memory_bytes - on_gpu.main_memory_bytes >= 2 * GIB - 100 * MIB


def test_slow_functions_on_shared_cores_are_never_called_faster_than_on_their_own():
    shared = profile(overlap=0.0, function_cores=1.0)
    slo, work = Slo(ttft_seconds=1.0), Workload()
    apart = preallocate(architecture(), PAST, profile(), offerings(), workload=work, slo=slo)
    together = preallocate(architecture(), PAST, shared, offerings(), workload=work, slo=slo)
    assert together.worst_ttft_seconds >= apart.worst_ttft_seconds or (
        together.remote_share <= apart.remote_share
    )


def test_printed_algorithm_gives_no_less_than_the_largest_function():
    found = allocated(0)
    assert found.main_memory_bytes >= offerings().function_memory.largest_bytes
    assert len(set(found.remote_counts)) == 1


def test_same_question_has_the_same_answer():
    assert allocated(ttft=1.0, tpot=0.02) == allocated(ttft=1.0, tpot=0.02)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"prompt_tokens": 0}, "prompt_tokens must be >= 1, got 0"),
        ({"output_tokens": -1}, "output_tokens must be >= 1, got -1"),
        ({"cold_probability": 1.5}, "cold_probability must be in 0..1, got 1.5"),
    ],
)
def test_impossible_requests_are_refused(changes, said):
    with pytest.raises(ValueError, match=said):
        allocated(**changes)


def test_history_of_another_model_is_refused():
    with pytest.raises(ValueError, match=r"routing must have shape \(3, 16\)"):
        Preallocator(architecture(experts_per_layer=16), PAST, profile(), offerings())


@pytest.mark.parametrize("step", [0.0, 1.5, -0.1])
def test_impossible_step_is_refused(step):
    with pytest.raises(ValueError, match="step must be > 0 and at most 1"):
        PreallocationKnobs(step=step)


def test_counts_of_every_candidate_sum_to_what_it_says():
    from planner_preallocation.allocation_world import TOP_K

    from remoe_planner.preallocation.remote_counts import layer_candidates
    from remoe_planner.preallocation.worst_case import WorstCase

    rng = np.random.default_rng(TOP_K)
    times = np.cumsum(rng.random((2, LAYERS, EXPERTS + 1)), axis=2)
    worst = WorstCase(prefill=times[0], decode=times[1], prefill_beside=0.5, decode_beside=0.25)
    found = layer_candidates(worst)
    for i in range(len(found.remote)):
        counts = found.counts(i)
        assert counts.sum() == found.remote[i]
        ttft = 0.5 + times[0][np.arange(LAYERS), counts].sum()
        assert found.ttft_seconds[i] == pytest.approx(ttft)
