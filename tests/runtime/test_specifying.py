import pytest

from remoe_functions.runtime.backoff import Backoff
from remoe_functions.runtime.part import PartSpec
from remoe_functions.runtime.process import ProcessRuntime
from remoe_functions.runtime.state import PartKind, Snapshot


def _spec(**knobs):
    return PartSpec(**{"name": "echo", "kind": PartKind.FUNCTION, "argv": ("echo",), **knobs})


@pytest.mark.parametrize(
    ("knobs", "words"),
    [
        ({"name": "Echo/1"}, "name must be a lower-case DNS label, got 'Echo/1'"),
        ({"argv": ()}, "argv must be not empty"),
        ({"min_replicas": -1}, "min_replicas must be >= 0, got -1"),
        ({"max_replicas": 0}, "max_replicas must be >= min, 1, got 0"),
        ({"min_replicas": 3, "max_replicas": 2}, "max_replicas"),
        ({"keep_alive_seconds": -1}, "keep_alive_seconds must be >= 0 or None, got -1"),
        ({"private_memory_limit_bytes": 0}, "private_memory_limit_bytes must be > 0 or None"),
        ({"startup_seconds": 0}, "startup_seconds must be > 0, got 0"),
        ({"drain_seconds": -1}, "drain_seconds must be >= 0, got -1"),
        ({"inherited_fds": (3, -1)}, r"inherited_fds must be all >= 0, got \(3, -1\)"),
        ({"log_bytes": 1}, "log_bytes must be >= 4096, got 1"),
    ],
)
def test_a_wrong_knob_is_refused_by_name(knobs, words):
    with pytest.raises(ValueError, match=words):
        _spec(**knobs)


def test_secrets_do_not_show_when_a_part_is_printed():
    assert "hush" not in repr(_spec(env={"REMOE_FUNCTION_TOKEN": "hush"}))


async def test_two_parts_of_one_name_are_refused(tmp_path):
    with pytest.raises(ValueError, match="'echo' twice"):
        ProcessRuntime([_spec(), _spec()], run_dir=tmp_path)


@pytest.mark.parametrize("body", [{}, {"version": 1, "parts": {"a": {}}}, {"version": 1}, []])
def test_what_is_no_snapshot_is_refused(body):
    with pytest.raises(ValueError, match="not a snapshot"):
        Snapshot.from_dict(body)


@pytest.mark.parametrize(
    "knobs", [{"first_seconds": -1}, {"factor": 0.5}, {"max_seconds": 0.1, "first_seconds": 1}]
)
def test_a_wrong_back_off_is_refused(knobs):
    with pytest.raises(ValueError, match="must be >="):
        Backoff(**knobs)
