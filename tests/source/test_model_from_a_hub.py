"""`hf://org/name@revision`, with the real client library against a small hub."""

import os
import shutil
import subprocess
import sys
from collections import namedtuple

import pytest

from remoe_functions.source.errors import (
    DiskFullError,
    SourceError,
    SourceGatedError,
    SourceIncompleteError,
    SourceNotFoundError,
    SourceOfflineError,
)
from remoe_functions.source.hub import download
from remoe_functions.source.reference import HubReference

TINY = HubReference(repository="org/tiny")
COMMIT = "a" * 40


def names(directory):
    return sorted(str(p.relative_to(directory)) for p in directory.rglob("*") if p.is_file())


@pytest.mark.parametrize("revision", [None, "v1", COMMIT])
def test_model_is_fetched_with_only_what_serving_needs(hub, access, revision):
    directory = download(HubReference(repository="org/tiny", revision=revision), access())
    assert names(directory) == ["config.json", "model.safetensors", "tokenizer.json"]
    assert (directory / "model.safetensors").read_bytes() == hub.files["model.safetensors"]
    assert sorted(hub.downloads()) == names(directory)


def test_second_fetch_downloads_nothing(hub, access):
    download(TINY, access())
    first = len(hub.downloads())
    download(TINY, access())
    assert len(hub.downloads()) == first


def test_transfer_that_broke_off_is_resumed_where_it_ended(hub, access):
    hub.break_after_bytes = 11_000_000
    directory = download(TINY, access())
    assert (directory / "model.safetensors").read_bytes() == hub.files["model.safetensors"]
    ranges = [headers.get("Range", "") for method, _, headers in hub.requests if method == "GET"]
    assert any(r.startswith("bytes=") and not r.startswith("bytes=0-") for r in ranges)


def test_transfer_that_keeps_breaking_off_is_told(hub, access, monkeypatch):
    monkeypatch.setattr("huggingface_hub.file_download.time.sleep", lambda seconds: None)
    hub.break_after_bytes = 1000
    with pytest.raises(SourceOfflineError, match=r"the transfer .* broke off"):
        download(TINY, access())


def test_token_opens_a_private_repository(hub, access):
    hub.token = "right"
    assert download(TINY, access(token="right")).is_dir()


@pytest.mark.parametrize(
    ("token", "kind", "hint"),
    [
        ("wrong", SourceGatedError, "token does not open"),
        (None, SourceNotFoundError, "private: then set HF_TOKEN"),
    ],
)
def test_private_repository_without_the_token_says_so(hub, access, token, kind, hint):
    hub.token = "right"
    with pytest.raises(kind, match=hint) as caught:
        download(TINY, access(token=token))
    assert "wrong" not in str(caught.value)


def test_gated_repository_says_where_to_ask(hub, access):
    hub.gated = True
    with pytest.raises(SourceGatedError, match=f"ask for access on {hub.url} and set HF_TOKEN"):
        download(TINY, access())


def test_unknown_repository_is_named(hub, access):
    with pytest.raises(SourceNotFoundError, match="hf://org/none: there is no such repository"):
        download(HubReference(repository="org/none"), access())


def test_unknown_revision_is_named(access):
    with pytest.raises(SourceNotFoundError, match="hf://org/tiny@v9: no such revision"):
        download(HubReference(repository="org/tiny", revision="v9"), access())


def test_hub_that_cannot_be_reached_is_told(access):
    with pytest.raises(SourceOfflineError, match="cannot be reached, and no complete copy"):
        download(TINY, access(endpoint="http://127.0.0.1:9"))


def test_complete_copy_is_served_without_the_hub(hub, access):
    directory = download(TINY, access())
    assert download(TINY, access(endpoint="http://127.0.0.1:9")) == directory


def test_incomplete_copy_is_not_served_without_the_hub(hub, access):
    directory = download(TINY, access())
    (directory / "model.safetensors").unlink()
    with pytest.raises(SourceOfflineError, match="no complete copy is cached"):
        download(TINY, access(endpoint="http://127.0.0.1:9"))


def test_failing_hub_is_told(hub, access):
    hub.status = 418
    with pytest.raises(SourceError, match="org/tiny"):
        download(TINY, access())


@pytest.mark.parametrize("missing", ["config.json", "model.safetensors"])
def test_repository_without_what_serving_needs_is_refused_before_any_download(hub, access, missing):
    del hub.files[missing]
    with pytest.raises(SourceIncompleteError, match=r"no config\.json or no safetensors"):
        download(TINY, access())
    assert hub.downloads() == []


def test_model_larger_than_the_free_space_is_refused_before_any_download(hub, access, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10, 9, 1000))
    with pytest.raises(DiskFullError, match=r"needs 12 MB and 0 MB are free; set HF_HOME"):
        download(TINY, access())
    assert hub.downloads() == []


def test_disk_that_fills_during_the_transfer_is_told(hub, tmp_path):
    program = (
        "import resource, signal\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, resource.RLIM_INFINITY))\n"
        "from remoe_functions.source.source import resolve\n"
        "try: resolve('hf://org/tiny')\n"
        "except Exception as error: print(type(error).__name__, error)\n"
    )
    environment = os.environ | {"HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path)}
    ended = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=60
    )
    assert "hf://org/tiny" in ended.stdout, ended.stderr
    assert "Error" in ended.stdout.split()[0]
