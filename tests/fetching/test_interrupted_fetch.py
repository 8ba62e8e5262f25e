"""A fetch ends before its end: nothing looks whole, and the next one goes on where it was."""

import signal
import time

import pytest

BROUGHT = 10 * 1024 * 1024  # what the client has written when the hub stops after a little more


def ranges(hub):
    """Where each request for the weights began."""
    asked = [
        {name.lower(): value for name, value in headers.items()}.get("range")
        for method, path, headers in hub.requests
        if method == "GET" and path.endswith("model.safetensors")
    ]
    hub.requests.clear()
    return asked


@pytest.fixture
def halfway(start, hub, data):
    """A process whose hub has stopped, and which has written what it got."""

    def run():
        hub.held.clear()
        hub.hold_after_bytes = BROUGHT + 500_000
        process = start()
        assert hub.held.wait(30)
        hub.hold_after_bytes = None
        partial = data / ".fetching" / "model" / "model.safetensors.partial"
        for _ in range(300):
            if partial.stat().st_size >= BROUGHT:
                return process
            time.sleep(0.05)
        raise AssertionError(f"only {partial.stat().st_size} bytes came")

    return run


def kill(process):
    process.popen.kill()
    process.popen.wait()


def test_terminated_fetch_says_so_and_the_next_one_continues(
    halfway, start, hub, data, model_files
):
    process = halfway()
    process.popen.send_signal(signal.SIGTERM)
    status, message, _ = process.end()
    assert (status, message["error"]["reason"]) == (1, "Interrupted")
    assert not (data / "model").exists()
    assert ranges(hub) == [None]

    status, message, output = start().end()
    assert status == 0, output
    assert ranges(hub) == [f"bytes={BROUGHT}-"]
    assert (data / "model" / "model.safetensors").read_bytes() == model_files["model.safetensors"]


def test_killed_fetch_leaves_nothing_that_looks_whole(halfway, fetch, hub, data):
    kill(halfway())
    assert not (data / "model").exists()
    ranges(hub)
    fetch()
    assert ranges(hub) == [f"bytes={BROUGHT}-"]


def test_other_commit_is_not_continued_with_bytes_of_the_first(halfway, hub, fetch):
    kill(halfway())
    ranges(hub)
    fetch("hf://org/tiny", "--revision", "v1")
    assert ranges(hub) == [None]


def test_progress_is_told_while_it_lasts_and_counts_what_is_on_the_disk(halfway, model_files):
    told = halfway().progress()
    total = sum(map(len, model_files.values()))
    assert told["bytes_total"] == total
    assert told["revision"] == "a" * 40
    assert BROUGHT <= told["bytes_done"] < total


def test_whole_process_ends_with_the_models_shape(start, hub):
    status, message, output = start().end()
    assert status == 0, output
    assert sorted(message) == ["architecture", "bytes", "revision"]
    assert message["architecture"]["experts_per_layer"] == 4
    assert output.splitlines()[-1].startswith('{"architecture"')


def test_address_that_is_taken_is_told(start, hub):
    port = hub.url.rsplit(":", 1)[1]
    status, message, _ = start("hf://org/tiny", "--port", port).end()
    assert (status, message["error"]["reason"]) == (1, "FetchFailed")
    assert "cannot tell progress" in message["error"]["message"]
