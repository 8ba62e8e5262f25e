"""A cold start does not import what serving never asks; what is asked for all the same is real."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

BEGIN = """
import sys
from remoe_functions.main.lean_imports import import_transformers
import_transformers()
"""

LOAD = """
from pathlib import Path
from remoe_functions.main.directory import StaticDirectory
from remoe_functions.main.process import run
from remoe_functions.main.service import Service, ServiceOptions
service = Service(ServiceOptions(model=Path(sys.argv[1])), StaticDirectory({}), lambda _: None)
heavy = ("torch._dynamo", "torch._inductor", "torch.distributed.tensor", "sympy")
print(*(name for name in heavy if name in sys.modules))
"""

ASK_ALL_THE_SAME = """
import torch
from transformers import masking_utils
assert torch.compile(lambda x: x + 1, backend="eager")(torch.ones(2)).tolist() == [2, 2]
assert torch.compiler.disable(len)([1]) == 1
masks = masking_utils.TransformGetItemToIndex()
print(torch._dynamo.__file__, isinstance(masks, torch.overrides.TorchFunctionMode))
"""


def said(code, *arguments):
    """What a fresh interpreter prints."""
    command = [sys.executable, "-c", BEGIN + code, *map(str, arguments)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=120, check=False, env=environment
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.slow
def test_a_model_is_loaded_without_compiler_algebra_or_distributed_tensors(checkpoint_of):
    assert said(LOAD, checkpoint_of("mixtral")) == ""


@pytest.mark.slow
def test_what_is_asked_of_the_compiler_all_the_same_finds_the_real_one():
    file, is_a_mode = said(ASK_ALL_THE_SAME).split()
    assert file.endswith("_dynamo/__init__.py")
    assert is_a_mode == "True"
