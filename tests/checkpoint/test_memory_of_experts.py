"""Weights take memory when they are touched, and give it back when they are released."""

from __future__ import annotations

import psutil
import pytest
from builders.tiny_checkpoints import build

from remoe_functions.checkpoint.checkpoint import Checkpoint
from remoe_planner.experts import ExpertId

MIB = 1 << 20
# The kernel maps pages around the one that faulted, and pages at an edge belong to two experts.
EDGE = 1 * MIB


@pytest.fixture(scope="module", params=["mixtral", "granitemoe"])
def checkpoint(request, tmp_path_factory):
    """Two layers of four experts of 12 MiB each, one tensor per expert or stacked."""
    folder = build(
        request.param,
        tmp_path_factory.mktemp("large"),
        hidden_size=512,
        intermediate_size=2048,
        num_hidden_layers=2,
        num_local_experts=4,
    )
    return Checkpoint.open(folder)


def resident():
    return psutil.Process().memory_info().rss


def test_touched_expert_is_resident_and_released_one_is_not(checkpoint):
    experts = [ExpertId(1, 0), ExpertId(1, 2)]
    size = sum(checkpoint.expert(expert).nbytes for expert in experts)
    assert size == 24 * MIB
    before = resident()
    for expert in experts:
        checkpoint.touch(expert)
    touched = resident()
    assert touched - before > size - EDGE
    for expert in experts:
        checkpoint.release(expert)
    assert touched - resident() > size - EDGE


def test_opening_reads_no_expert(checkpoint):
    before = resident()
    again = Checkpoint.open(checkpoint.directory)
    assert again.architecture == checkpoint.architecture
    assert resident() - before < 8 * MIB


def test_released_expert_still_answers(checkpoint):
    expert = ExpertId(0, 1)
    before = checkpoint.expert(expert).down.array.copy()
    checkpoint.release(expert)
    assert (checkpoint.expert(expert).down.array == before).all()
