"""A model hub, and access to it that leaves the user's own settings alone."""

import pytest
from builders.model_hub import Hub

from remoe_functions.source.access import HubAccess


@pytest.fixture
def hub():
    served = Hub()
    yield served
    served.stop()


@pytest.fixture
def access(hub, tmp_path):
    def make(**fields):
        return HubAccess(**{"endpoint": hub.url, "cache": tmp_path / "cache"} | fields)

    return make


@pytest.fixture(autouse=True)
def _no_token_of_ours(monkeypatch, tmp_path):
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.setenv("HF_HUB_DISABLE_TELEMETRY", "1")
