"""Plans of section 2, for a tiny model: everybody serves every expert, and plans are kept whole."""

import numpy as np
import pytest
from builders.planning_worlds import a_profile, an_architecture
from evaluation.measured_plans import Ground, by_expert, by_layer, kept, recalled, served

from remoe_planner.activation_history import ActivationHistory
from remoe_simulator.contender import ContenderName


def a_history(architecture, requests=12, seed=0):
    chance = np.random.default_rng(seed)
    shape = (requests, *architecture.shape)
    return ActivationHistory(
        vectors=np.zeros((requests, architecture.hidden_size), np.float32),
        prefill=chance.integers(1, 40, shape).astype(np.uint32),
        decode=chance.integers(1, 40, shape).astype(np.uint32),
        prompt_tokens=chance.integers(20, 90, requests).astype(np.uint32),
        decode_tokens=np.full(requests, 30, np.uint32),
    )


@pytest.fixture
def ground():
    architecture = an_architecture()
    return Ground(
        architecture=architecture,
        history=a_history(architecture),
        profile=a_profile(),
        output_tokens=31,
    )


def test_a_function_for_each_layer_or_expert_leaves_none_to_the_main_model(ground):
    for plan, functions in ((by_layer(ground), 3), (by_expert(ground), 24)):
        assert len(plan.functions) == functions
        assert not plan.local_experts


def test_contenders_are_told_by_name_and_what_everything_resident_has_is_promised(ground):
    found = {one.name: one for one in served(ground, few=5, fewest=2)}
    assert not found[ContenderName.CPU].plan.functions
    assert found[ContenderName.PER_EXPERT].prompts == 2
    assert found[ContenderName.OURS].forecasts
    assert not found[ContenderName.PER_LAYER].forecasts
    assert ground.slo.tpot_seconds > 0


def test_plans_that_were_kept_are_the_same_when_they_are_read_again(ground, tmp_path):
    made = served(ground, few=5, fewest=2)
    kept(tmp_path, made, ground.slo)
    assert recalled(tmp_path) == (made, ground.slo)


def test_nothing_is_recalled_where_nothing_was_kept(tmp_path):
    assert recalled(tmp_path) is None
