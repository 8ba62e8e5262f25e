"""The laws of the history: all that was written is read, and damage is never read as a record."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from remoe_functions.history.frames import frame, read_frames
from remoe_functions.history.reader import read_history
from remoe_functions.history.record import HistoryRecord, RecordError, decode_payload
from remoe_functions.history.writer import HistoryWriter

counts = arrays.arrays(np.uint32, (2, 3))
finite = st.floats(-(2.0**60), 2.0**60, width=32, allow_subnormal=False)
vectors = arrays.arrays(np.float32, 4, elements=finite)
numbers = st.integers(0, 2**32 - 1)


@given(numbers, numbers, st.none() | vectors, counts, counts)
def test_record_survives_its_bytes(prompt, decode, vector, prefill, decoded):
    written = HistoryRecord(
        prompt_tokens=prompt, decode_tokens=decode, vector=vector, prefill=prefill, decode=decoded
    )
    read = decode_payload(written.encode())
    assert (read.prompt_tokens, read.decode_tokens) == (prompt, decode)
    assert np.array_equal(read.prefill, prefill)
    assert np.array_equal(read.decode, decoded)
    assert (read.vector is None) == (vector is None)
    assert vector is None or np.allclose(
        read.vector, vector, rtol=1e-3, atol=1e-3 * float(np.abs(vector).max())
    )


@given(st.lists(st.binary(max_size=40), max_size=6), st.data())
def test_any_truncation_leaves_a_prefix(payloads, data):
    whole = b"".join(map(frame, payloads))
    cut = data.draw(st.integers(0, len(whole)))
    found = read_frames(whole[:cut])
    assert list(found.payloads) == payloads[: len(found.payloads)]
    assert found.damaged == 0
    assert found.sound_bytes <= cut
    if cut == len(whole):
        assert list(found.payloads) == payloads


@given(st.lists(st.binary(min_size=1, max_size=40), min_size=1, max_size=6), st.data())
def test_changed_byte_never_gives_a_wrong_record(payloads, data):
    whole = bytearray(b"".join(map(frame, payloads)))
    whole[data.draw(st.integers(0, len(whole) - 1))] ^= data.draw(st.integers(1, 255))
    found = list(read_frames(bytes(whole)).payloads)
    remaining = iter(payloads)
    assert all(payload in remaining for payload in found), "read records are a subsequence"
    assert len(found) < len(payloads)


@given(st.binary(max_size=60))
def test_bytes_that_are_no_record_are_refused_as_such(payload):
    try:
        read = decode_payload(payload)
    except RecordError:
        return
    assert read.encode() == payload


def test_written_requests_are_read_as_arrays(tmp_path, architecture, record):
    writer = HistoryWriter(tmp_path / "new" / "folder", "r1")
    for number in range(5):
        writer.append(record(number, vector=number != 3))
    writer.close()
    history = read_history(tmp_path / "new" / "folder", architecture())
    assert writer.dropped == 0
    assert history.prompt_tokens.tolist() == [0, 1, 2, 3, 4]
    assert history.decode_tokens.tolist() == [0, 2, 4, 6, 8]
    assert history.vectors[:, 0].tolist() == [1, 2, 3, 0, 5]
    assert history.prefill.shape == (5, 2, 3)
    assert history.decode[4].tolist() == [[11] * 3] * 2


def test_second_writer_continues_where_the_first_ended(tmp_path, architecture, record):
    for number in range(3):
        writer = HistoryWriter(tmp_path, "r1")
        writer.append(record(number))
        writer.close()
    assert read_history(tmp_path, architecture()).prompt_tokens.tolist() == [0, 1, 2]
    assert len(list(tmp_path.iterdir())) == 1


def test_two_writers_at_once_lose_nothing(tmp_path, architecture, record):
    writers = [HistoryWriter(tmp_path, "r1") for _ in range(2)]
    for number in range(20):
        writers[number % 2].append(record(number))
    for writer in writers:
        writer.close()
    read = read_history(tmp_path, architecture()).prompt_tokens.tolist()
    assert sorted(read) == list(range(20))


def test_missing_directory_is_an_empty_history(tmp_path, architecture):
    history = read_history(tmp_path / "none", architecture())
    assert len(history) == 0
    assert history.shape == (2, 3)
    assert history.vectors.shape == (0, 4)


def test_other_revisions_are_not_read_and_then_deleted(tmp_path, architecture, record):
    for revision in ("r1", "r2"):
        writer = HistoryWriter(tmp_path, revision)
        writer.append(record(1))
        writer.close()
    assert len(read_history(tmp_path, architecture("r2"))) == 1
    assert len(read_history(tmp_path, architecture("r1"))) == 0
    assert len(list(tmp_path.iterdir())) == 1


def test_files_that_are_not_ours_are_left_alone(tmp_path, record):
    (tmp_path / "notes.txt").write_text("mine")
    writer = HistoryWriter(tmp_path, "r1")
    writer.append(record(1))
    writer.close()
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_records_of_another_shape_are_not_read(tmp_path, architecture, record):
    writer = HistoryWriter(tmp_path, "r1")
    writer.append(record(1, shape=(5, 5)))
    writer.append(record(2))
    writer.close()
    assert read_history(tmp_path, architecture()).prompt_tokens.tolist() == [2]
    assert len(read_history(tmp_path, architecture(hidden_size=9))) == 0


def test_history_is_for_its_owner_alone(tmp_path, record):
    writer = HistoryWriter(tmp_path, "r1")
    writer.append(record(1))
    writer.close()
    assert [path.stat().st_mode & 0o077 for path in tmp_path.iterdir()] == [0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"prompt_tokens": -1}, "prompt_tokens must be in"),
        ({"prefill": np.zeros((2, 3), np.int64)}, r"prefill must be \[layers, experts\] uint32"),
        ({"decode": np.zeros((3, 3), np.uint32)}, "prefill and decode must agree"),
        ({"vector": np.zeros(4)}, r"vector must be \[hidden\] float32"),
        ({"vector": np.zeros(0, np.float32)}, r"vector must be \[hidden\] float32"),
    ],
)
def test_record_of_a_wrong_form_is_refused_at_birth(change, message):
    zeros = np.zeros((2, 3), np.uint32)
    fields = {
        "prompt_tokens": 1,
        "decode_tokens": 1,
        "vector": None,
        "prefill": zeros,
        "decode": zeros,
    }
    with pytest.raises(ValueError, match=message):
        HistoryRecord(**fields | change)
