"""A model comes from a hub onto a volume: once, whole, verified, and never half."""

import json

from remoe_functions.fetching.errors import Reason
from remoe_functions.fetching.marker import FILE

COMMIT = "a" * 40


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_only_what_serving_needs_comes_and_it_is_the_hubs(fetch, data, model_files):
    fetched = fetch()
    files = ["config.json", "model.safetensors", "tokenizer.json"]
    assert names(data / "model") == sorted([FILE, *files])
    assert all((data / "model" / name).read_bytes() == model_files[name] for name in files)
    assert fetched.revision == COMMIT
    assert fetched.size_bytes == sum(len(model_files[name]) for name in files)


def test_what_is_told_is_the_models_shape_under_the_users_name(fetch):
    architecture = fetch().architecture
    assert (architecture.name, architecture.layers) == ("org/tiny", (0, 1))
    assert (architecture.experts_per_layer, architecture.top_k) == (4, 2)


def test_volume_has_nothing_but_model_and_history_in_the_end(fetch, data):
    fetch()
    assert names(data) == [".fetch.lock", "history", "model"]
    assert (data / "history").stat().st_mode & 0o777 == 0o770


def test_second_fetch_asks_the_hub_nothing(fetch, hub):
    first = fetch()
    asked = len(hub.requests)
    assert fetch() == first
    assert len(hub.requests) == asked


def test_commit_that_is_there_already_is_not_fetched_again(fetch, hub):
    fetch()
    asked = len(hub.requests)
    fetch("hf://org/tiny", "--revision", COMMIT)
    assert len(hub.requests) == asked


def test_other_revision_takes_the_models_place(fetch, hub, data):
    fetch()
    before = (data / "model").stat().st_ino
    fetch("hf://org/tiny", "--revision", "v1")
    assert json.loads((data / "model" / FILE).read_text())["wish"]["revision"] == "v1"
    assert (data / "model").stat().st_ino != before


def test_model_that_lost_a_byte_is_fetched_again(fetch, data, model_files):
    fetch()
    with (data / "model" / "model.safetensors").open("r+b") as file:
        file.truncate(100)
    fetch()
    assert (data / "model" / "model.safetensors").read_bytes() == model_files["model.safetensors"]


def test_transfer_that_breaks_off_is_resumed_where_it_ended(fetch, hub, data, model_files):
    hub.break_after_bytes = 11_000_000
    fetch()
    assert (data / "model" / "model.safetensors").read_bytes() == model_files["model.safetensors"]
    ranges = [headers.get("range") or headers.get("Range", "") for _, _, headers in hub.requests]
    assert any(range_.startswith("bytes=") for range_ in ranges)


def test_bytes_other_than_announced_are_thrown_away(fetch, refused, hub, data):
    hub.spoil = ("model.safetensors",)
    damaged = refused()
    assert damaged.reason is Reason.TRANSFER_DAMAGED
    assert "model.safetensors: its sha256" in str(damaged)
    assert not (data / "model").exists()
    hub.spoil = ()
    fetch()
    assert (data / "model" / FILE).exists()


def test_token_opens_a_private_repository(fetch, hub, monkeypatch):
    hub.token = "right"
    monkeypatch.setenv("HF_TOKEN", "right")
    assert fetch().revision == COMMIT
