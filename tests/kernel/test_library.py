"""The library is found, refused where it is not ours, survives forks, and sleeps when idle."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from builders.expert_weights import expert, form
from builders.native_layers import answer, rows_of

from remoe_functions.kernel import library as room
from remoe_functions.kernel.library import NativeKernelUnavailableError, library
from remoe_functions.kernel.machine import native_available

pytestmark = pytest.mark.skipif(not native_available().available, reason="no native kernel here")


@pytest.fixture
def elsewhere(monkeypatch, tmp_path):
    path = tmp_path / room.PATH.name
    monkeypatch.setattr(room, "PATH", path)
    library.cache_clear()
    yield path
    library.cache_clear()


def test_a_library_that_was_not_built_is_a_reason(elsewhere):
    with pytest.raises(NativeKernelUnavailableError, match="was not built"):
        library()


def test_a_file_that_is_no_library_is_a_reason(elsewhere):
    elsewhere.write_bytes(b"not a library")
    with pytest.raises(NativeKernelUnavailableError, match="cannot be loaded"):
        library()


def test_a_library_of_other_sources_is_a_reason(elsewhere, monkeypatch):
    elsewhere.symlink_to(Path(room.__file__).with_name(elsewhere.name))
    monkeypatch.setattr(room, "Format", list(room.Format)[1:])
    with pytest.raises(NativeKernelUnavailableError, match="of other sources"):
        library()


def test_a_child_that_was_forked_computes_with_threads_of_its_own():
    weights, rows = expert(form(), hidden=300, intermediate=500), rows_of(5, 300)
    wanted = answer(weights, rows, threads=3).tobytes()
    child = os.fork()
    if child == 0:
        same = answer(weights, rows, threads=3).tobytes() == wanted
        os._exit(0 if same else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert answer(weights, rows, threads=3).tobytes() == wanted


def test_idle_threads_use_no_processor():
    weights, rows = expert(form(), hidden=300, intermediate=500), rows_of(5, 300)
    answer(weights, rows, threads=4)
    time.sleep(0.05)
    before = time.process_time()
    time.sleep(0.3)
    assert time.process_time() - before < 0.1


def test_importing_the_kernel_imports_nothing_heavy():
    code = (
        "import sys, remoe_functions.kernel.moe_layer; "
        "sys.exit(bool({'torch', 'scipy', 'cffi', 'httpx'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0


def test_memory_does_not_grow_with_calls():
    weights, rows = expert(form(), hidden=64, intermediate=64), rows_of(200, 64)
    answer(weights, rows, threads=2)
    before = resident_bytes()
    for _ in range(300):
        answer(weights, rows, threads=2)
    assert resident_bytes() - before < 8 << 20


def resident_bytes():
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")


def test_out_is_written_in_place():
    from remoe_functions.kernel.moe_layer import forward
    from remoe_functions.kernel.native_expert import NativeExpert

    out = np.empty((1, 12))
    one = np.zeros(1, np.uint32), np.zeros(1, np.uint16), np.ones(1, np.float32)
    experts = [NativeExpert.of(expert(form()))]
    assert forward(experts, rows_of(1, 12), *one, out=out) is out
    assert out.any()
