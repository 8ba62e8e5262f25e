"""A process that is the first of its container is told to end while it starts, and does."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

SECONDS = 20
ALONE = ("unshare", "--user", "--map-root-user", "--pid", "--fork", "--kill-child")
ENDLESS = "import time; print('importing', flush=True); time.sleep(60)"


@pytest.fixture(scope="module", autouse=True)
def _process_namespaces():
    if subprocess.run([*ALONE, "true"], capture_output=True, check=False).returncode:
        pytest.skip("needs process namespaces")


def only_child(pid):
    return int(Path(f"/proc/{pid}/task/{pid}/children").read_text())


@pytest.mark.parametrize(
    ("part", "library"),
    [
        ("remoe_functions.gateway", "uvicorn"),
        ("remoe_functions.fetching", "huggingface_hub"),
        ("remoe_operator", "kopf"),
    ],
)
def test_process_that_imports_is_told_to_end(tmp_path, part, library):
    (tmp_path / f"{library}.py").write_text(ENDLESS)
    command = [*ALONE, sys.executable, "-m", part]
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) as started:
        try:
            assert started.stdout.readline() == b"importing\n"
            os.kill(only_child(started.pid), signal.SIGTERM)
            assert started.wait(SECONDS) == 128 + signal.SIGTERM
        finally:
            started.kill()
