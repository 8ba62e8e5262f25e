"""What a cold start may not load: it is paid for on every wake."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from builders.expert_process import command as started
from builders.expert_process import environment, plan_for, written_plan

from remoe_functions.kernel.machine import native_available

HEAVY = {"torch", "transformers", "scipy", "pydantic", "safetensors", "fastapi", "httpx"}
WHEN_SCRAPED = {"prometheus_client", "http.server"}
NEVER_NEEDED = {"asyncio", "ssl", "logging", "http.client", "email", "importlib.metadata", "ast"}


def loaded_by(module):
    code = f"import json, sys, {module}; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    return set(json.loads(done.stdout))


@pytest.fixture(scope="module")
def loaded_when_ready(mixtral, tmp_path_factory):
    """The modules that a real function has imported once it says that it is ready."""
    plan = plan_for(mixtral, served=lambda expert: expert.layer == 0)
    path = written_plan(plan, tmp_path_factory.mktemp("plan") / "plan.json")
    python, *rest = started(mixtral, path)
    process = subprocess.Popen(
        [python, "-X", "importtime", *rest],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert "ready" in json.loads(process.stdout.readline())
    finally:
        process.kill()
        _, said = process.communicate(timeout=30)
    return {line.rpartition("|")[2].strip() for line in said.splitlines() if "|" in line}


@pytest.mark.skipif(not native_available().available, reason="no native kernel here")
def test_function_is_ready_without_numpy(loaded_when_ready):
    assert "remoe_functions.kernel.answering" in loaded_when_ready
    assert "numpy" not in loaded_when_ready


def test_function_is_ready_without_frameworks_or_libraries_for_http_or_metrics(loaded_when_ready):
    assert "remoe_functions.expert.process" in loaded_when_ready
    assert not loaded_when_ready & (HEAVY | WHEN_SCRAPED | NEVER_NEEDED)


def test_what_was_put_off_is_there_when_it_is_used():
    code = """if True:
        import sys
        from remoe_functions.expert.lean_imports import put_off
        put_off()
        import dataclasses, inspect
        assert "ast" not in sys.modules
        plain = dataclasses.make_dataclass("Plain", [("number", int)])
        print(inspect.signature(plain), plain.__doc__)
    """
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == "(number: int) -> None Plain(number: int)\n"


def test_monitor_answers_probes_without_numpy_and_without_libraries():
    loaded = loaded_by("remoe_functions.expert.monitor_replies")
    assert not loaded & (HEAVY | WHEN_SCRAPED | {"numpy"})


def test_native_library_is_found_without_numpy():
    assert "numpy" not in loaded_by("remoe_functions.kernel.machine")


def test_nothing_loads_numpy_before_its_threads_are_bounded():
    assert "numpy" not in loaded_by(
        "remoe_functions.expert.__main__, remoe_functions.expert.process"
    )
