from __future__ import annotations

from contextlib import ExitStack

import pytest
import torch
from builders.tiny_checkpoints import build
from main.engine_world import world


@pytest.fixture(scope="session", autouse=True)
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def checkpoint_of(tmp_path_factory):
    """Folder of a tiny checkpoint of an architecture, made once a session."""
    made = {}

    def folder(architecture, **fields):
        key = repr((architecture, sorted(fields.items())))
        if key not in made:
            made[key] = build(architecture, tmp_path_factory.mktemp(architecture), **fields)
        return made[key]

    return folder


@pytest.fixture
def open_world():
    """`world`, closed at the end of the test."""
    with ExitStack() as stack:
        yield lambda *args, **kwargs: stack.enter_context(world(*args, **kwargs))
