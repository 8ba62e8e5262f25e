"""A safetensors file that departs from the format is refused, and says how."""

from __future__ import annotations

import numpy as np
import pytest
from builders.safetensors_files import entry, written
from hypothesis import given, settings
from hypothesis import strategies as st

from remoe_functions.checkpoint.errors import CheckpointError
from remoe_functions.checkpoint.shard import HEADER_LIMIT_BYTES, Shard
from remoe_functions.checkpoint.tensors import Dtype


def test_sound_file_is_read_without_copying(tmp_path):
    values = np.arange(6, dtype=np.float32)
    header = {"a": entry(0, 24, shape=[2, 3]), "__metadata__": {"format": "pt"}}
    shard = Shard(written(tmp_path / "f", header, values.tobytes()))
    tensor = shard.tensor("a")
    assert tensor.array.tolist() == values.reshape(2, 3).tolist()
    assert not tensor.array.flags.writeable
    assert not tensor.array.flags.owndata
    assert list(shard.places) == ["a"]


def test_bfloat16_is_seen_as_its_bits(tmp_path):
    header = {"a": entry(0, 4, dtype="BF16", shape=[2])}
    tensor = Shard(written(tmp_path / "f", header, b"\x80\x3f\x00\xc0")).tensor("a")
    assert tensor.dtype is Dtype.BFLOAT16
    assert tensor.array.tolist() == [0x3F80, 0xC000]


def test_empty_tensor_is_allowed(tmp_path):
    header = {"a": entry(0, 4), "none": entry(4, 4, shape=[0, 7])}
    assert Shard(written(tmp_path / "f", header, b"\0" * 4)).tensor("none").shape == (0, 7)


SPOILED = {
    "no JSON": (b"{nonsense", "corrupt header"),
    "invalid UTF-8": (b'{"\xff": 1}', "corrupt header"),
    "not an object": (b"[]", "a JSON object is needed"),
    "deep nesting": (b"[" * 100_000, "corrupt header"),
    "a name twice": (b'{"a": 1, "a": 1}', "a name occurs twice"),
    "entry of wrong type": ({"a": 3}, "tensor a"),
    "no dtype": ({"a": {"shape": [1], "data_offsets": [0, 4]}}, "tensor a: 'dtype'"),
    "unknown dtype": ({"a": entry(0, 4, dtype="F12")}, "F12"),
    "negative shape": ({"a": entry(0, 4, shape=[-1])}, "must be integers >= 0"),
    "fraction in shape": ({"a": entry(0, 4, shape=[1.0])}, "must be integers >= 0"),
    "truth in shape": ({"a": entry(0, 4, shape=[True])}, "must be integers >= 0"),
    "three offsets": ({"a": entry(0, 4) | {"data_offsets": [0, 4, 8]}}, "tensor a"),
    "offsets reversed": ({"a": entry(4, 0, shape=[0])}, "bytes for F32"),
    "shape longer than data": ({"a": entry(0, 4, shape=[2])}, "4 bytes for F32"),
    "absurd shape": ({"a": entry(0, 4, shape=[2**62, 2**62])}, "4 bytes for F32"),
    "overlap": ({"a": entry(0, 4), "b": entry(0, 4)}, "a and b overlap"),
    "gap": ({"a": entry(0, 4), "b": entry(8, 12)}, "a gap between a and b"),
    "gap before": ({"a": entry(4, 8)}, "a gap before a"),
    "beyond the file": ({"a": entry(0, 400)}, "truncated: tensors end at"),
    "bytes left over": ({"a": entry(0, 4)}, "8 bytes after the last tensor"),
}


@pytest.mark.parametrize("fault", sorted(SPOILED))
def test_spoiled_header_is_refused_by_name(fault, tmp_path):
    header, message = SPOILED[fault]
    path = written(tmp_path / "model.safetensors", header, b"\0" * 12)
    with pytest.raises(CheckpointError, match=message) as refusal:
        _ = Shard(path).places
    assert str(path) in str(refusal.value)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "hold no safetensors header"),
        (b"\1\0\0", "hold no safetensors header"),
        ((500).to_bytes(8, "little") + b"{}", "truncated: a header of 500 bytes"),
        ((HEADER_LIMIT_BYTES + 1).to_bytes(8, "little") + b"{}", "corrupt header: length"),
        (b"\xff" * 8 + b"{}", "corrupt header: length"),
    ],
)
def test_file_without_a_whole_header_is_refused(data, message, tmp_path):
    path = tmp_path / "model.safetensors"
    path.write_bytes(data)
    with pytest.raises(CheckpointError, match=message):
        _ = Shard(path).places


def test_missing_file_and_folder_in_its_place_are_refused(tmp_path):
    with pytest.raises(CheckpointError, match="no such file"):
        Shard(tmp_path / "absent")
    with pytest.raises(CheckpointError, match="cannot be"):
        Shard(tmp_path)


GOOD_HEADER = {"a": entry(0, 8), "b": entry(8, 12)}


@settings(max_examples=150, deadline=None)
@given(position=st.integers(0, 200), value=st.integers(0, 255), cut=st.integers(0, 40))
def test_any_damage_is_refused_or_harmless(tmp_path_factory, position, value, cut):
    path = written(tmp_path_factory.mktemp("damage") / "f", GOOD_HEADER, b"\0" * 12)
    data = bytearray(path.read_bytes())
    data[position % len(data)] = value
    path.write_bytes(bytes(data[: len(data) - cut]))
    try:
        shard = Shard(path)
        names = tuple(shard.places)
    except CheckpointError:
        return
    assert all(shard.tensor(name).nbytes >= 0 for name in names)
