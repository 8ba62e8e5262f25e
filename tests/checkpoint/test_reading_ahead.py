"""A function's weights are brought into the system's memory before anybody touches them."""

from __future__ import annotations

import mmap
from pathlib import Path

import pytest
from builders.page_cache import dropped, in_memory, pages_of
from builders.tiny_checkpoints import build

from remoe_functions.checkpoint.checkpoint import Checkpoint
from remoe_functions.checkpoint.errors import CheckpointError
from remoe_planner.experts import ExpertId


@pytest.fixture(params=["mixtral", "granitemoe"])
def folder(request, tmp_path):
    """Experts of some megabytes, each with tensors of its own or stacked."""
    return build(
        request.param,
        tmp_path,
        hidden_size=256,
        intermediate_size=1024,
        num_hidden_layers=1,
        num_local_experts=4,
    )


def test_reading_ahead_brings_every_page_of_the_experts(folder):
    path = folder / "model.safetensors"
    wanted = (ExpertId(0, 1), ExpertId(0, 3))
    checkpoint = Checkpoint.open(folder, wanted)
    dropped(path)
    checkpoint.read_ahead(wanted)
    held = in_memory(path)
    for expert in wanted:
        assert held[pages_of(checkpoint, expert, path)].all()
    checkpoint.close()


def test_reading_ahead_what_every_token_needs_leaves_the_experts_on_the_disk(folder):
    path = folder / "model.safetensors"
    checkpoint = Checkpoint.open(folder)
    shared = [name for name in checkpoint.names if not checkpoint.is_expert_tensor(name)]
    places = [checkpoint._home._range(name) for name in shared]
    dropped(path)
    checkpoint.read_ahead_shared()
    held = in_memory(path)
    for _, begin, end in places:
        assert held[-(-begin // mmap.PAGESIZE) : end // mmap.PAGESIZE].all()
    experts = checkpoint.architecture.experts
    assert not all(held[pages_of(checkpoint, expert, path)].all() for expert in experts)
    checkpoint.close()


def test_unknown_expert_is_refused_and_a_file_that_has_gone_is_told(folder):
    checkpoint = Checkpoint.open(folder)
    with pytest.raises(CheckpointError, match="the model has no expert"):
        checkpoint.read_ahead([ExpertId(7, 0)])
    (folder / "model.safetensors").unlink()
    with pytest.raises(CheckpointError, match="no such file"):
        checkpoint.read_ahead([ExpertId(0, 0)])
    checkpoint.close()


def test_reading_ahead_leaves_no_descriptor_open(folder):
    checkpoint = Checkpoint.open(folder)
    before = sum(1 for _ in Path("/proc/self/fd").iterdir())
    checkpoint.read_ahead([ExpertId(0, 0), ExpertId(0, 2)])
    assert sum(1 for _ in Path("/proc/self/fd").iterdir()) == before
    checkpoint.close()
