"""`remoe record` and `remoe demo` for real: their own services, on a tiny model."""

import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

TESTS = Path(__file__).parents[1]


def load(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def runnable(tmp_path_factory):
    """A tiny Mixtral that the real main model can load, with a tokenizer of words."""
    folder = tmp_path_factory.mktemp("models") / "tiny"
    load(TESTS / "builders" / "tiny_checkpoints.py").build("mixtral", folder)
    words = ["<pad>", "<s>", "</s>", "<unk>", *(f"w{n}" for n in range(4, 128))]
    tokenizer = {
        "version": "1.0",
        "added_tokens": [],
        "pre_tokenizer": {"type": "Whitespace"},
        "model": {
            "type": "WordLevel",
            "vocab": {word: number for number, word in enumerate(words)},
            "unk_token": "<unk>",
        },
    }
    settings = {"chat_template": "{% for m in messages %}{{ m['content'] }} {% endfor %}"}
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    return folder


def start(home, *arguments):
    return subprocess.Popen(
        [sys.executable, "-m", "remoe_functions.cli", *map(str, arguments)],
        env=os.environ | {"REMOE_HOME": str(home), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture(autouse=True)
def _interruptible():
    """Tests in a shell's background ignore SIGINT, and what they start would inherit that."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_demo_compares_both_services_draws_and_leaves_nothing_running(runnable, tmp_path):
    out = tmp_path / "out"
    demo = start(
        tmp_path, "demo", "--model", runnable, "--output", out, "--max-tokens", 6, "--json"
    )
    said, trouble = demo.communicate(timeout=360)
    assert demo.returncode == 0, trouble
    figures = json.loads(said)
    assert len(figures["prompts"]) == 6
    assert figures["sameAnswers"] == 6
    assert figures["planned"]["remoteShare"] == 0.5
    assert sum(figures["planned"]["measured"]["wakes"].values()) >= 1
    assert figures["resident"]["measured"]["wakes"] == {}
    for side in ("planned", "resident"):
        assert figures[side]["windowCost"] >= figures[side]["requestCost"] > 0
    assert sorted(path.name for path in out.iterdir()) == [
        "experts.png",
        "experts.svg",
        "plan.json",
    ]
    assert (out / "experts.png").read_bytes().startswith(b"\x89PNG")
    assert "<svg" in (out / "experts.svg").read_text()
    assert not [p for p in psutil.process_iter(["cmdline"]) if str(runnable) in _line(p)]


@pytest.mark.slow
@pytest.mark.timeout(200)
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGKILL, -9)])
def test_service_of_a_stopped_or_killed_record_ends_with_it(runnable, tmp_path, number, code):
    record = start(tmp_path, "record", runnable)
    parts = _wait_for_parts(record, 60)
    record.send_signal(number)
    record.communicate(timeout=100)
    assert record.returncode == code
    _, alive = psutil.wait_procs(parts, timeout=20)
    assert alive == []


def _line(process):
    return " ".join(process.info["cmdline"] or ())


def _wait_for_parts(process, seconds):
    """The processes below it, once gateway and main model are among them."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        parts = psutil.Process(process.pid).children(recursive=True)
        if len(parts) >= 3:
            return parts
        time.sleep(0.1)
    raise AssertionError(f"no service came up: {process.poll()}")
