"""A function's weights are brought into the system's memory before anybody touches them."""

from __future__ import annotations

import ctypes
import mmap
import os
from pathlib import Path

import numpy as np
import pytest
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


def in_memory(path):
    """Which pages of a file the system holds: bool [pages]."""
    pages = -(-path.stat().st_size // mmap.PAGESIZE)
    held = (ctypes.c_ubyte * pages)()
    with path.open("rb") as file:
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
        address = ctypes.addressof(ctypes.c_char.from_buffer(mapped))
        size = ctypes.c_size_t(len(mapped))
        assert ctypes.CDLL(None).mincore(ctypes.c_void_p(address), size, held) == 0
    return np.frombuffer(bytes(held), np.uint8) & 1 == 1


def dropped(path):
    """Have the system forget a file; skip where it will not."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    if in_memory(path).any():
        pytest.skip("this file system keeps its files in memory")


def pages_of(checkpoint, expert, path):
    """The whole pages of an expert's tensors, by number."""
    ranges = (checkpoint._home._range(*piece) for piece in checkpoint._pieces(expert))
    return np.concatenate(
        [np.arange(-(-begin // mmap.PAGESIZE), end // mmap.PAGESIZE) for _, begin, end in ranges]
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
