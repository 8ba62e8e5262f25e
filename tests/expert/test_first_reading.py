"""The disk is asked for what a function will serve before anything else, and for nothing twice."""

from __future__ import annotations

import subprocess
import sys

import pytest
from builders.expert_process import NAME, plan_for, written_plan
from builders.tiny_checkpoints import build

from remoe_functions.checkpoint.checkpoint import Checkpoint
from remoe_functions.expert import first_reading

SLOW = {"pathlib", "dataclasses", "typing", "socket", "threading", "hashlib", "argparse"}


def asked_for(folder, plan_path, *extra, name=NAME):
    words = ["--model", str(folder), f"--plan={plan_path}", "--function", name, *extra]
    options = first_reading._options(words)
    return first_reading._joined(sorted(first_reading._wanted(options)))


def served(expert):
    return expert.layer == 1 or expert.index == 2


def lying(checkpoint):
    """Where the weights of the served experts lie, as the checkpoint knows it."""
    experts = filter(served, checkpoint.architecture.experts)
    ranges = (checkpoint._home._range(*p) for e in experts for p in checkpoint._pieces(e))
    found = sorted((str(shard.path), begin, end) for shard, begin, end in ranges)
    return first_reading._joined(found)


@pytest.mark.parametrize("family", ["mixtral", "qwen3_moe", "gpt_oss", "granitemoe", "nemotron_h"])
def test_what_is_asked_for_is_what_is_served(family, tmp_path):
    folder = build(family, tmp_path)
    path = written_plan(plan_for(folder, served=served), tmp_path / "plan.json")
    assert asked_for(folder, path) == lying(Checkpoint.open(folder))


def test_only_the_standard_librarys_least_is_imported_for_it():
    code = "import sys, remoe_functions.expert.first_reading; print(*sys.modules)"
    command = [sys.executable, "-I", "-S", "-c", f"import sys; sys.path[:] = {sys.path!r}; {code}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert not SLOW & set(done.stdout.split())


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["--plan"],
        ["--model", "/nowhere", "--plan", "/nowhere.json", "--function", "f"],
        ["--model", "/", "--plan", __file__, "--function", "f"],
    ],
)
def test_what_cannot_be_asked_for_is_left_to_whoever_tells_it(words):
    first_reading.begin(words)
