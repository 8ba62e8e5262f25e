"""While torch is imported, the disk brings what this process will compute with, and no more."""

from __future__ import annotations

import pytest
from builders.page_cache import dropped, in_memory, pages_of
from builders.tiny_checkpoints import build
from main.engine_world import plan_for

from remoe_functions.checkpoint.checkpoint import Checkpoint
from remoe_functions.main.reading_ahead import begin_to_read

SIZES = {"hidden_size": 256, "intermediate_size": 1024, "num_hidden_layers": 2}


@pytest.fixture
def folder(tmp_path):
    """Experts of some megabytes."""
    return build("mixtral", tmp_path, **SIZES, num_local_experts=4)


def held_of(folder, plan_file):
    """Which experts are whole in memory after reading ahead for a plan."""
    path = folder / "model.safetensors"
    dropped(path)
    begin_to_read(Checkpoint.open(folder), plan_file).join(30)
    held, checkpoint = in_memory(path), Checkpoint.open(folder)
    experts = checkpoint.architecture.experts
    return {e for e in experts if held[pages_of(checkpoint, e, path)].all()}


def test_local_experts_are_read_and_remote_ones_left(folder, tmp_path):
    plan = plan_for(Checkpoint.open(folder), lambda expert: expert.index >= 1)
    file = tmp_path / "plan.json"
    file.write_text(plan.to_json())
    found = held_of(folder, file)
    assert found >= set(plan.local_experts)
    assert not found >= set(plan.remote_experts)


def test_without_a_plan_all_are_read(folder):
    assert held_of(folder, None) == set(Checkpoint.open(folder).architecture.experts)


def test_for_a_plan_that_cannot_be_read_no_expert_is(folder, tmp_path):
    found = held_of(folder, tmp_path / "none.json")
    assert found != set(Checkpoint.open(folder).architecture.experts)
