"""A sidecar is made whole or not at all, belongs to its weights, and serves their experts."""

from __future__ import annotations

import errno
import json
import os
import shutil

import numpy as np
import pytest
import torch
from builders.mxfp4_checkpoints import build_mxfp4
from builders.stock_experts import StockExperts
from builders.tiny_checkpoints import build
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from remoe_functions.checkpoint.block_values import values_of
from remoe_functions.checkpoint.blocks import BlockFormat
from remoe_functions.checkpoint.checkpoint import Checkpoint
from remoe_functions.checkpoint.errors import CheckpointError, SidecarError
from remoe_functions.checkpoint.sidecar import sidecar_file
from remoe_functions.expert.kernel import NumpyKernel
from remoe_functions.quantized.errors import QuantizationError
from remoe_functions.quantized.file import SidecarFile
from remoe_functions.quantized.making import quantize
from remoe_planner.experts import ExpertId

Q8, Q4 = BlockFormat.Q8, BlockFormat.Q4


def made(folder, path, precision=Q8):
    return quantize(Checkpoint.open(folder), precision, path)


@pytest.fixture(scope="module")
def sidecar(mixtral, tmp_path_factory):
    return made(mixtral, tmp_path_factory.mktemp("sidecar") / "q8.safetensors")


@pytest.mark.parametrize("architecture", ["mixtral", "gpt_oss", "granitemoe", "nemotron_h"])
@pytest.mark.parametrize("precision", [Q8, Q4])
def test_every_layout_is_served_from_its_sidecar(architecture, precision, tmp_path):
    folder = build(architecture, tmp_path / "model")
    path = made(folder, tmp_path / "sidecar", precision)
    plain, checkpoint = Checkpoint.open(folder), Checkpoint.open(folder, sidecar=path)
    stock, kernel = StockExperts(folder), NumpyKernel()
    rows = np.random.default_rng(7).standard_normal((5, 48), dtype=np.float32)
    for expert in checkpoint.architecture.experts:
        theirs, ours = plain.expert(expert), checkpoint.expert(expert)
        assert ours.in_blocks
        assert ours.hidden_size == theirs.hidden_size
        assert ours.intermediate_size == theirs.intermediate_size
        expected = stock.forward(expert, rows)
        error = np.linalg.norm(kernel.forward(ours, rows) - expected) / np.linalg.norm(expected)
        assert error < (0.02 if precision is Q8 else 0.25)


def test_experts_shrink_and_the_rest_stays(mixtral, sidecar):
    plain = Checkpoint.open(mixtral).architecture
    shape = Checkpoint.open(mixtral, sidecar=sidecar).architecture
    blocks = 2 * 48 * 2 + 48 * 2  # rows of 48 or 40 weights have two blocks each, 40 rows are 48
    assert shape.expert_bytes == blocks * (32 + 2)
    assert (shape.revision, shape.main_bytes) == (plain.revision, plain.main_bytes)


def test_file_is_safetensors_that_tells_what_it_is(mixtral, sidecar):
    with safe_open(sidecar, "np") as file:
        assert file.metadata() == {
            "kind": "remoe-experts",
            "version": "2",
            "precision": "q8",
            "block": "32",
            "revision": Checkpoint.open(mixtral).architecture.revision,
        }
        codes = file.get_tensor("layers.1.experts.down.codes")
    assert codes.shape == (6, 3, 16 * 64)
    weights = Checkpoint.open(mixtral, sidecar=sidecar).expert(ExpertId(1, 5)).down
    assert (codes[5] == weights.codes).all()


def test_made_twice_it_has_the_same_bytes(mixtral, tmp_path):
    first, second = (made(mixtral, tmp_path / name, Q4).read_bytes() for name in ("a", "b"))
    assert first == second


def test_experts_are_touched_and_released_in_the_sidecar(mixtral, sidecar):
    checkpoint = Checkpoint.open(mixtral, sidecar=sidecar)
    expert = ExpertId(2, 3)
    before = values_of(checkpoint.expert(expert).down)
    checkpoint.read_ahead([expert])
    checkpoint.touch(expert)
    checkpoint.release(expert)
    assert (values_of(checkpoint.expert(expert).down) == before).all()
    with pytest.raises(CheckpointError, match="no expert"):
        checkpoint.touch(ExpertId(2, 6))


def test_absent_sidecar_says_what_makes_it(mixtral, tmp_path):
    with pytest.raises(SidecarError, match="no such file; `remoe quantize` makes it"):
        Checkpoint.open(mixtral, sidecar=tmp_path / "absent")


def test_sidecar_of_other_weights_is_refused(sidecar, tmp_path):
    other = build("mixtral", tmp_path, seed=1, dtype="bfloat16")
    with pytest.raises(SidecarError, match=r"made from weights of revision .* make it again"):
        Checkpoint.open(other, sidecar=sidecar)


def test_truncated_sidecar_is_refused(mixtral, sidecar, tmp_path):
    cut = tmp_path / "cut"
    cut.write_bytes(sidecar.read_bytes()[:-1])
    with pytest.raises(CheckpointError, match="cut: truncated"):
        Checkpoint.open(mixtral, sidecar=cut)


def test_foreign_file_is_refused(mixtral):
    with pytest.raises(SidecarError, match="not a file of quantized experts"):
        Checkpoint.open(mixtral, sidecar=mixtral / "model.safetensors")


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("version", "1", "of format '1'"),
        ("block", "64", "blocks of '64'"),
        ("precision", "q5", "precision must be one of q8, q4, got 'q5'"),
    ],
)
def test_sidecar_of_another_format_is_refused(mixtral, sidecar, tmp_path, field, value, message):
    path = rewritten(sidecar, tmp_path, lambda h: h["__metadata__"].update({field: value}))
    with pytest.raises(SidecarError, match=message):
        Checkpoint.open(mixtral, sidecar=path)


def test_sidecar_with_a_tensor_of_another_name_or_type_is_refused(mixtral, sidecar, tmp_path):
    name = "layers.0.experts.up1.scales"
    path = rewritten(sidecar, tmp_path, lambda h: h.update({"other": h.pop(name)}))
    with pytest.raises(SidecarError, match=f"has no tensor {name}"):
        Checkpoint.open(mixtral, sidecar=path)
    path = rewritten(sidecar, tmp_path, lambda h: h[name].update({"dtype": "F16"}))
    with pytest.raises(SidecarError, match=f"tensor {name} is F16"):
        Checkpoint.open(mixtral, sidecar=path)


def rewritten(sidecar, tmp_path, change):
    """The sidecar with another header."""
    data = sidecar.read_bytes()
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    change(header)
    raw = json.dumps(header).encode()
    path = tmp_path / "rewritten"
    path.write_bytes(len(raw).to_bytes(8, "little") + raw + data[8 + length :])
    return path


def test_quantized_checkpoint_is_not_quantized_again(tmp_path):
    folder = build_mxfp4(tmp_path / "model")
    with pytest.raises(QuantizationError, match="few bits already"):
        made(folder, tmp_path / "sidecar")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model"]


def test_weight_that_is_no_number_is_named_and_nothing_is_left(tmp_path):
    folder = build("mixtral", tmp_path / "model")
    tensors = load_file(folder / "model.safetensors")
    tensors["model.layers.1.block_sparse_moe.experts.4.w3.weight"][7, 7] = torch.nan
    save_file(tensors, folder / "model.safetensors")
    with pytest.raises(
        QuantizationError, match=r"expert .*4.*, matrix up1: weights must be finite"
    ):
        made(folder, tmp_path / "sidecar")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model"]


def test_full_disk_midway_leaves_nothing_but_the_message(mixtral, tmp_path, monkeypatch):
    written, real = [], os.pwrite

    def pwrite(descriptor, data, place):
        written.append(place)
        if len(written) > 20:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(descriptor, data, place)

    monkeypatch.setattr(os, "pwrite", pwrite)
    with pytest.raises(QuantizationError, match="cannot be written: No space left on device"):
        made(mixtral, tmp_path / "sidecar")
    assert list(tmp_path.iterdir()) == []


def test_disk_too_small_is_told_before_the_work(mixtral, tmp_path, monkeypatch):
    def fallocate(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", fallocate)
    rounds = []
    with pytest.raises(QuantizationError, match="No space left"):
        quantize(
            Checkpoint.open(mixtral),
            Q8,
            tmp_path / "sidecar",
            progress=lambda done, _: rounds.append(done),
        )
    assert rounds == []
    assert list(tmp_path.iterdir()) == []


def test_failed_run_leaves_the_earlier_sidecar_as_it_was(mixtral, tmp_path, monkeypatch):
    path = made(mixtral, tmp_path / "sidecar")
    before = path.read_bytes()
    monkeypatch.setattr(SidecarFile, "write", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        made(mixtral, path)
    assert [child.name for child in tmp_path.iterdir()] == ["sidecar"]
    assert path.read_bytes() == before


def test_what_a_killed_run_left_does_not_matter(mixtral, tmp_path):
    (tmp_path / ".sidecar.part").write_bytes(b"half" * 1000)
    path = made(mixtral, tmp_path / "sidecar")
    assert [child.name for child in tmp_path.iterdir()] == ["sidecar"]
    assert Checkpoint.open(mixtral, sidecar=path).architecture.expert_bytes


def test_two_runs_at_once_do_not_meet(mixtral, tmp_path):
    seen = []

    def second(done, _):
        if done == 3:
            with pytest.raises(QuantizationError, match="another process is making this file"):
                made(mixtral, tmp_path / "sidecar")
            seen.append(done)

    quantize(Checkpoint.open(mixtral), Q8, tmp_path / "sidecar", progress=second)
    assert seen == [3]
    assert Checkpoint.open(mixtral, sidecar=tmp_path / "sidecar")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_folder_that_cannot_be_written_is_told(mixtral, tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(QuantizationError, match="cannot be written: Permission denied"):
        made(mixtral, tmp_path / "sidecar")


def test_place_that_is_no_folder_is_told(mixtral, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(QuantizationError, match="cannot be written"):
        made(mixtral, tmp_path / "file" / "sidecar")


def test_sidecar_beside_the_model_leaves_the_revision_as_it_was(mixtral, tmp_path):
    folder = shutil.copytree(mixtral, tmp_path / "model")
    before = Checkpoint.open(folder).architecture.revision
    made(folder, sidecar_file(folder, Q8))
    assert Checkpoint.open(folder).architecture.revision == before
