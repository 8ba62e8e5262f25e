"""What a cold start may not load: it is paid for on every wake."""

from __future__ import annotations

import json
import subprocess
import sys

HEAVY = {"torch", "transformers", "scipy", "pydantic", "safetensors", "fastapi", "httpx"}
WHEN_SCRAPED = {"prometheus_client", "http.server"}


def loaded_by(module):
    code = f"import json, sys, {module}; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    return set(json.loads(done.stdout))


def test_process_loads_no_framework_and_no_library_for_http_or_metrics():
    loaded = loaded_by("remoe_functions.expert.process")
    assert "numpy" in loaded
    assert not loaded & (HEAVY | WHEN_SCRAPED)


def test_monitor_answers_probes_without_numpy_and_without_libraries():
    loaded = loaded_by("remoe_functions.expert.monitor_replies")
    assert not loaded & (HEAVY | WHEN_SCRAPED | {"numpy"})


def test_weights_are_found_and_read_while_numpy_is_still_to_load():
    loaded = loaded_by("remoe_functions.expert.opening")
    assert "remoe_functions.checkpoint.checkpoint" in loaded
    assert "numpy" not in loaded


def test_native_library_is_found_without_numpy():
    assert "numpy" not in loaded_by("remoe_functions.kernel.machine")


def test_nothing_loads_numpy_before_its_threads_are_bounded():
    assert "numpy" not in loaded_by("remoe_functions.expert.__main__")
