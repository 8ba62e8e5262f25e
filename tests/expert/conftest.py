from __future__ import annotations

import pytest
from builders.tiny_checkpoints import build


@pytest.fixture(scope="session")
def mixtral(tmp_path_factory):
    """A tiny Mixtral folder that tests must not change."""
    return build("mixtral", tmp_path_factory.mktemp("mixtral"))
