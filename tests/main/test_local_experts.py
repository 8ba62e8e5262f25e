"""Experts in the main process: the native kernel and torch agree, for every form and routing."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from builders.tiny_checkpoints import ARCHITECTURES, build

from remoe_functions.checkpoint.checkpoint import Checkpoint
from remoe_functions.kernel.machine import available, native_available
from remoe_functions.main.native_experts import NativeExperts
from remoe_functions.main.spread import Pairs
from remoe_functions.main.torch_expert import TorchExperts

pytestmark = pytest.mark.skipif(not native_available().available, reason="no native kernel here")
TOLERANCE = {torch.float32: 1e-5, torch.bfloat16: 2e-2}


def routed(rows, shape, seed):
    """Every row to some experts, the last row to none."""
    draw = np.random.default_rng(seed)
    ids = np.stack(
        [draw.permutation(shape.experts_per_layer)[: shape.top_k] for _ in range(max(0, rows - 1))]
        or [np.empty(0, np.int64)]
    )
    return Pairs(
        rows=np.repeat(np.arange(len(ids), dtype=np.uint32), ids.shape[1]),
        experts=ids.astype(np.uint16).reshape(-1),
        weights=draw.random(ids.size, dtype=np.float32),
    )


def both(folder, dtype, count, threads=2):
    checkpoint = Checkpoint.open(folder)
    shape = checkpoint.architecture
    rows = torch.randn(count, shape.hidden_size, generator=torch.Generator().manual_seed(count)).to(
        dtype
    )
    pairs = routed(count, shape, seed=count)
    native = NativeExperts(checkpoint, available()[0], threads=threads)
    layer = shape.layers[-1]
    theirs = TorchExperts(checkpoint, dtype).weighted_sum(layer, rows, pairs)
    return native.weighted_sum(layer, rows, pairs), theirs


@pytest.mark.parametrize("architecture", sorted(ARCHITECTURES))
def test_every_architecture_agrees_in_float32(architecture, tmp_path):
    ours, theirs = both(build(architecture, tmp_path), torch.float32, 6)
    assert ours.dtype == theirs.dtype == np.float64
    assert np.abs(theirs).max() > 0.01
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5)
    assert not ours[-1].any()


@pytest.mark.parametrize("count", [0, 1, 2, 17, 70])
@pytest.mark.parametrize("dtype", TOLERANCE)
def test_any_number_of_rows_agrees(count, dtype, tmp_path):
    folder = build("mixtral", tmp_path, dtype=str(dtype).removeprefix("torch."))
    ours, theirs = both(folder, dtype, count)
    scale = max(1.0, np.abs(theirs).max(initial=0.0))
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=TOLERANCE[dtype] * scale)


def test_weights_of_one_type_and_rows_of_another_agree(tmp_path):
    narrow = build("mixtral", tmp_path / "narrow", dtype="bfloat16")
    ours, theirs = both(narrow, torch.float32, 5)
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5)
