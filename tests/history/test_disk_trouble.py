"""Crashes, full disks and bounds: the history may lose records, never requests."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from remoe_functions.history.reader import read_history
from remoe_functions.history.writer import HistoryWriter


def write(directory, record, numbers, **options):
    writer = HistoryWriter(directory, "r1", **options)
    for number in numbers:
        writer.append(record(number))
    writer.close()
    return writer


def only_segment(directory):
    (path,) = directory.iterdir()
    return path


def test_torn_tail_is_ignored_then_cut_when_writing_goes_on(tmp_path, architecture, record):
    write(tmp_path, record, range(3))
    path = only_segment(tmp_path)
    os.truncate(path, path.stat().st_size - 5)
    assert read_history(tmp_path, architecture()).prompt_tokens.tolist() == [0, 1]
    write(tmp_path, record, [9])
    assert read_history(tmp_path, architecture()).prompt_tokens.tolist() == [0, 1, 9]


def test_damaged_record_is_skipped_and_reported(tmp_path, architecture, record, caplog):
    write(tmp_path, record, range(3))
    path = only_segment(tmp_path)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    assert read_history(tmp_path, architecture()).prompt_tokens.tolist() == [0, 2]
    assert "1 damaged records" in caplog.text


def test_file_of_garbage_is_an_empty_history(tmp_path, architecture, record):
    write(tmp_path, record, [1])
    only_segment(tmp_path).write_bytes(os.urandom(500))
    assert len(read_history(tmp_path, architecture())) == 0


def test_history_stays_within_its_bound_and_keeps_the_newest(tmp_path, architecture, record):
    size = len(record(0).encode()) + 16
    write(tmp_path, record, range(200), max_bytes=20 * size)
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 20 * size
    read = read_history(tmp_path, architecture()).prompt_tokens.tolist()
    assert read == list(range(200 - len(read), 200))
    assert len(read) >= 15


def test_record_larger_than_the_bound_is_dropped_and_counted(tmp_path, record):
    assert write(tmp_path, record, range(2), max_bytes=10).dropped == 2


def test_bound_that_is_not_positive_is_refused(tmp_path):
    with pytest.raises(ValueError, match="max_bytes must be >= 1, got 0"):
        HistoryWriter(tmp_path, "r1", 0)


def test_unusable_directory_drops_and_never_raises(tmp_path, record):
    (tmp_path / "file").write_text("in the way")
    assert write(tmp_path / "file" / "below", record, range(3)).dropped == 3


def test_record_after_close_is_counted_as_dropped(tmp_path, record):
    writer = write(tmp_path, record, [1])
    writer.append(record(2))
    writer.close()
    assert writer.dropped == 1


class StuckStore:
    """A disk that answers nothing until it is let go."""

    def __init__(self):
        self.free = threading.Event()

    def append(self, payload):
        self.free.wait(30)

    def close(self):
        pass


def test_append_does_not_wait_for_a_stuck_disk(tmp_path, record):
    writer = HistoryWriter(tmp_path, "r1")
    writer._store = stuck = StuckStore()
    for number in range(400):
        writer.append(record(number))
    assert writer.dropped >= 400 - 256 - 1
    stuck.free.set()
    writer.close()


_FULL_DISK = """
import resource, signal, sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from conftest import make_record
from remoe_functions.history.writer import HistoryWriter
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, ({bound}, resource.RLIM_INFINITY))
writer = HistoryWriter(Path({directory!r}), "r1")
for number in range(10):
    writer.append(make_record(number))
writer.close()
print(writer.dropped)
"""


def test_disk_that_fills_mid_record_keeps_whole_records_and_counts_the_rest(
    tmp_path, architecture, record
):
    size = len(record(0).encode()) + 16
    program = _FULL_DISK.format(
        tests=str(Path(__file__).parent), bound=int(3.5 * size), directory=str(tmp_path)
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    assert ended.stdout.strip() == "7"
    assert read_history(tmp_path, architecture()).prompt_tokens.tolist() == [0, 1, 2]
    whole = sum(len(record(number).encode()) + 16 for number in range(3))
    assert only_segment(tmp_path).stat().st_size == whole
