import pytest

from remoe_functions.runtime.failure import describe_exit
from remoe_functions.runtime.replica_log import ReplicaLog


def _words(returncode, tail="", *, because=None, limit=None):
    return describe_exit(returncode, tail, killed_because=because, limit_bytes=limit)


@pytest.mark.parametrize(
    ("returncode", "words"),
    [
        (0, "exited with code 0"),
        (3, "exited with code 3"),
        (-9, "was killed by SIGKILL"),
        (-11, "was killed by SIGSEGV"),
        (-63, "was killed by signal 63"),
        (None, "could not be started"),
    ],
)
def test_the_way_it_ended_is_told(returncode, words):
    assert _words(returncode) == words


def test_the_reason_for_killing_it_stands_before_the_signal():
    assert _words(-9, because="not ready within 1 s") == "not ready within 1 s"


def test_running_out_of_memory_is_only_told_where_there_is_a_limit():
    assert "its memory limit of 64 MiB" in _words(1, "MemoryError", limit=64 << 20)
    assert "memory limit" not in _words(1, "MemoryError")
    assert "memory limit" not in _words(1, "no such file", limit=64 << 20)


@pytest.fixture
def log(tmp_path):
    return ReplicaLog(tmp_path / "echo-1.log", max_bytes=4096)


def test_the_tail_is_the_last_lines_that_say_anything(log):
    with log.open() as file:
        file.write(b"one\n\n  two\n   ^^^^\n\xffthree\n\n")
    assert log.tail(2) == "two | \N{REPLACEMENT CHARACTER}three"


def test_a_log_that_is_not_there_has_no_tail(log):
    assert log.tail() == ""
    assert not log.rotate()


def test_a_log_past_its_bound_is_cut_while_it_is_written(log):
    with log.open() as file:
        file.write(b"a" * 4096 + b"b" * 2048)
        file.flush()
        assert log.rotate()
        assert not log.rotate()
        file.write(b"after\n")
    assert log.path.read_bytes() == b"after\n"
    assert log.path.with_suffix(".log.1").read_bytes() == b"b" * 2048


def test_a_log_is_for_its_owner_alone(log):
    log.open().close()
    assert log.path.stat().st_mode & 0o777 == 0o600
