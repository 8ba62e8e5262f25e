from __future__ import annotations

import pytest
import torch
from builders.tiny_checkpoints import build


@pytest.fixture(scope="session", autouse=True)
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def mixtral(tmp_path_factory):
    """A tiny checkpoint; tests make its sidecars elsewhere."""
    return build("mixtral", tmp_path_factory.mktemp("mixtral"), dtype="bfloat16")
