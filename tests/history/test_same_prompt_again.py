"""A prompt that comes again is counted, and takes no room from others."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from remoe_functions.history.reader import read_history
from remoe_functions.history.salt import fingerprint, read_or_make_salt
from remoe_functions.history.writer import HistoryWriter


def write(directory, records, **options):
    writer = HistoryWriter(directory, "r1", **options)
    for record in records:
        writer.append(record)
    writer.close()


def known(record, number):
    return replace(record(number), fingerprint=number, recorded_at=1000.0 + number)


def test_repeated_prompt_is_one_row_with_the_counts_of_all_its_times(
    tmp_path, architecture, record
):
    write(tmp_path, [known(record, 1), known(record, 2), *[known(record, 1)] * 3])
    history = read_history(tmp_path, architecture())
    assert history.times.tolist() == [4, 1]
    assert history.requests == 5
    assert history.prefill[:, 0, 0].tolist() == [4, 2]
    assert history.decode[:, 0, 0].tolist() == [4 * 8, 9]
    assert history.prompt_tokens.tolist() == [4, 2]


def test_prompt_known_from_an_earlier_life_is_not_recorded_anew(tmp_path, architecture, record):
    write(tmp_path, [known(record, 1)])
    size = next(tmp_path.iterdir()).stat().st_size
    for _ in range(5):
        write(tmp_path, [known(record, 1)])
    assert next(tmp_path.iterdir()).stat().st_size <= size + 5 * 29
    assert read_history(tmp_path, architecture()).times.tolist() == [6]


def test_one_prompt_asked_all_the_time_does_not_crowd_out_the_others(
    tmp_path, architecture, record
):
    size = len(known(record, 0).encode()) + 16
    others = [known(record, number) for number in range(1, 9)]
    write(tmp_path, others, max_bytes=40 * size)
    for _ in range(25):
        write(tmp_path, [known(record, 0)] * 200, max_bytes=40 * size)
    history = read_history(tmp_path, architecture())
    assert len(history) == 9
    assert history.times[-1] == 5000


def test_prompt_whose_record_grows_old_is_recorded_anew(tmp_path, architecture, record):
    size = len(known(record, 0).encode()) + 16
    others = [known(record, number) for number in range(1, 100)]
    stream = [each for other in others for each in (other, known(record, 0))]
    write(tmp_path, stream, max_bytes=40 * size)
    history = read_history(tmp_path, architecture())
    assert 1 in history.vectors[:, 0], "the prompt asked between all others is still there"


def test_requests_of_unknown_prompts_are_rows_of_their_own(tmp_path, architecture, record):
    write(tmp_path, [record(1), record(1)])
    assert read_history(tmp_path, architecture()).times.tolist() == [1, 1]


def test_salt_is_drawn_once_and_for_its_owner_alone(tmp_path):
    salt = read_or_make_salt(tmp_path / "new")
    assert read_or_make_salt(tmp_path / "new") == salt
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["salt"]
    assert (tmp_path / "new" / "salt").stat().st_mode & 0o077 == 0


def test_torn_salt_is_replaced(tmp_path):
    (tmp_path / "salt").write_bytes(b"torn")
    assert len(read_or_make_salt(tmp_path)) == 16


def test_fingerprint_tells_prompts_apart_and_needs_the_salt():
    assert fingerprint(b"a" * 16, (1, 2)) == fingerprint(b"a" * 16, np.array([1, 2]))
    assert fingerprint(b"a" * 16, (1, 2)) != fingerprint(b"a" * 16, (2, 1))
    assert fingerprint(b"a" * 16, (1, 2)) != fingerprint(b"b" * 16, (1, 2))


_WRITING = """
import sys
from dataclasses import replace
from pathlib import Path
sys.path.insert(0, {tests!r})
from conftest import make_record
from remoe_functions.history.writer import HistoryWriter
writer = HistoryWriter(Path({directory!r}), "r1")
print("begun", flush=True)
for number in range(1_000_000):
    writer.append(replace(make_record(number % 1000), fingerprint=number % 7000))
"""


@pytest.mark.parametrize("after_seconds", [0.02, 0.1, 0.3])
def test_killed_writer_leaves_whole_records_and_the_next_goes_on(
    tmp_path, architecture, record, after_seconds
):
    program = _WRITING.format(tests=str(Path(__file__).parent), directory=str(tmp_path))
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
    process.stdout.readline()
    time.sleep(after_seconds)
    os.kill(process.pid, signal.SIGKILL)
    process.wait(10)
    process.stdout.close()
    left = read_history(tmp_path, architecture()).requests
    write(tmp_path, [known(record, 123_456)])
    history = read_history(tmp_path, architecture())
    assert history.requests == left + 1
    assert all(len(np.unique(row)) == 1 for row in history.prefill), "no row is torn"
