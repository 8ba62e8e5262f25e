"""A service's parts find compiled modules even where the environment forbids to keep them."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import cache_from_source
from pathlib import Path

import numpy as np
import pytest

import remoe_functions
from remoe_functions.cli.compiled_modules import with_compiled_modules

FORBIDDEN = {"PYTHONDONTWRITEBYTECODE": "1", "HOME": "/somewhere"}
COMES_COMPILED = all(
    Path(cache_from_source(package.__file__)).exists() for package in (np, remoe_functions)
)


def test_environment_that_forbids_nothing_is_left_as_it_is():
    assert with_compiled_modules({"HOME": "/somewhere"}) == {"HOME": "/somewhere"}


def test_place_that_somebody_chose_is_kept():
    chosen = FORBIDDEN | {"PYTHONPYCACHEPREFIX": "/chosen"}
    assert with_compiled_modules(chosen) == chosen


@pytest.mark.skipif(COMES_COMPILED, reason="packages came with compiled modules")
def test_modules_are_kept_in_our_cache_where_nobody_else_does(tmp_path, monkeypatch):
    monkeypatch.setenv("REMOE_HOME", str(tmp_path))
    environment = with_compiled_modules(FORBIDDEN)
    assert "PYTHONDONTWRITEBYTECODE" not in environment
    subprocess.run([sys.executable, "-c", "import numpy"], env=environment, check=True, timeout=60)
    assert list((tmp_path / "compiled").rglob("numpy/*.pyc"))


@pytest.mark.skipif(not COMES_COMPILED, reason="packages came without compiled modules")
def test_modules_that_came_compiled_are_used_where_they_are():
    assert with_compiled_modules(FORBIDDEN) == FORBIDDEN
