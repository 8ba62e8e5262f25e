"""Every way that a fetch fails has one word, one sentence, and says whether to try again."""

import json
import os
import shutil
import socket
import subprocess
from collections import namedtuple

import pytest

from remoe_functions.fetching.errors import AGAIN, NEVER, FetchError, Reason
from remoe_functions.fetching.outcome import LIMIT_BYTES, refusal
from remoe_functions.fetching.volume import Volume

Usage = namedtuple("Usage", "total used free")


def test_repository_that_does_not_exist(refused):
    error = refused("hf://org/none")
    assert (error.reason, error.reason.exit_status) == (Reason.MODEL_NOT_FOUND, NEVER)
    assert "hf://org/none: there is no such repository" in str(error)
    assert "spec.model.tokenSecret" in str(error)


def test_revision_that_does_not_exist(refused):
    error = refused("hf://org/tiny", "--revision", "v9")
    assert error.reason is Reason.MODEL_NOT_FOUND
    assert "hf://org/tiny@v9: no such revision" in str(error)


@pytest.mark.parametrize("gated", [True, False])
def test_wrong_token_and_gated_repository(refused, hub, monkeypatch, gated):
    hub.token, hub.gated = "right", gated
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    error = refused()
    assert (error.reason, error.reason.exit_status) == (Reason.ACCESS_DENIED, NEVER)
    assert "hf_wrong" not in refusal(error)


def test_hub_that_cannot_be_reached(refused):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{taken.getsockname()[1]}"
        error = refused("hf://org/tiny", "--endpoint", nobody)
    assert (error.reason, error.reason.exit_status) == (Reason.HUB_UNREACHABLE, AGAIN)
    assert nobody in str(error)


def test_transfer_that_keeps_breaking_off(refused, hub, data, monkeypatch):
    monkeypatch.setattr("huggingface_hub.file_download.time.sleep", lambda seconds: None)
    hub.break_after_bytes = 1000
    error = refused()
    assert (error.reason, error.reason.exit_status) == (Reason.HUB_UNREACHABLE, AGAIN)
    assert "broke off" in str(error)
    assert not (data / "model").exists()


@pytest.mark.parametrize("missing", ["config.json", "model.safetensors"])
def test_repository_without_what_serving_needs(refused, hub, missing):
    del hub.files[missing]
    assert refused().reason is Reason.MODEL_INCOMPLETE
    assert hub.downloads() == []


def test_dense_model_is_refused_before_its_weights(refused, hub):
    hub.files["config.json"] = b'{"model_type": "llama", "architectures": ["LlamaForCausalLM"]}'
    error = refused()
    assert (error.reason, error.reason.exit_status) == (Reason.UNSUPPORTED_MODEL, NEVER)
    assert "dense model" in str(error)
    assert "model.safetensors" not in hub.downloads()


def test_weights_that_the_config_contradicts_are_never_installed(refused, hub, data):
    config = json.loads(hub.files["config.json"])
    hub.files["config.json"] = json.dumps(config | {"num_local_experts": 9}).encode()
    error = refused()
    assert (error.reason, error.reason.exit_status) == (Reason.MODEL_INCOMPLETE, NEVER)
    assert not (data / "model").exists()


def test_volume_without_room_is_told_before_the_first_byte(refused, hub, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(10, 9, 1000))
    error = refused()
    assert (error.reason, error.reason.exit_status) == (Reason.DISK_FULL, NEVER)
    assert "spec.model.storage.size" in str(error)
    assert hub.downloads() == []


@pytest.fixture
def small_volume(tmp_path):
    """A real file system that has room for half of the model."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", folder]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("no small file system can be mounted here")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_volume_that_fills_on_the_way(refused, small_volume, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(10**9, 0, 10**9))
    error = refused("hf://org/tiny", "--into", small_volume)
    assert (error.reason, error.reason.exit_status) == (Reason.DISK_FULL, NEVER)
    assert "the disk is full; give spec.model.storage.size more" in str(error)
    assert not (small_volume / "model").exists()


def test_volume_that_is_not_there(refused, tmp_path):
    error = refused("hf://org/tiny", "--into", "/proc/nowhere")
    assert error.reason in (Reason.VOLUME_NOT_WRITABLE, Reason.FETCH_FAILED)


def test_volume_that_another_fetch_works_on(refused, data, monkeypatch):
    monkeypatch.setattr("remoe_functions.fetching.volume._LOCK_SECONDS", 0.0)
    with Volume(data).reserved():
        error = refused()
    assert (error.reason, error.reason.exit_status) == (Reason.VOLUME_BUSY, AGAIN)


def test_name_that_is_no_model_on_a_hub(refused):
    assert refused("hf://tiny").reason is Reason.INVALID_URI


def test_message_is_never_longer_than_is_kept():
    for letter in ("x", "ä", "\U0001f600", '"'):
        text = refusal(FetchError(Reason.FETCH_FAILED, letter * 100_000))
        assert len(text.encode()) <= LIMIT_BYTES
        assert json.loads(text)["error"]["reason"] == "FetchFailed"
