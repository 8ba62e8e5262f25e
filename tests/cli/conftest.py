"""A checkpoint folder small enough to be written for every test, and the command to run on it."""

import json

import numpy as np
import pytest
from safetensors.numpy import save_file
from typer.testing import CliRunner

from remoe_functions.cli.app import app
from remoe_functions.cli.planning import architecture_of
from remoe_functions.history.record import HistoryRecord
from remoe_functions.history.writer import HistoryWriter

LAYERS, EXPERTS, HIDDEN, WIDTH, VOCABULARY = 2, 4, 8, 16, 32


@pytest.fixture(autouse=True)
def _home(tmp_path, monkeypatch):
    monkeypatch.setenv("REMOE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "120")
    for name in ("REMOE_URL", "REMOE_API_KEY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def remoe():
    """Runs the command; the result has exit_code, stdout and stderr."""

    def run(*arguments, **options):
        return CliRunner().invoke(app, [str(argument) for argument in arguments], **options)

    return run


@pytest.fixture
def model(tmp_path):
    """A Mixtral of two layers with four experts each."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    config = {
        "architectures": ["MixtralForCausalLM"],
        "model_type": "mixtral",
        "hidden_act": "silu",
        "hidden_size": HIDDEN,
        "intermediate_size": WIDTH,
        "num_attention_heads": 2,
        "num_experts_per_tok": 2,
        "num_hidden_layers": LAYERS,
        "num_key_value_heads": 2,
        "num_local_experts": EXPERTS,
        "torch_dtype": "float32",
        "vocab_size": VOCABULARY,
    }
    (folder / "config.json").write_text(json.dumps(config))
    save_file(_tensors(), folder / "model.safetensors")
    return folder


def _tensors():
    shapes = {
        "model.embed_tokens.weight": (VOCABULARY, HIDDEN),
        "lm_head.weight": (VOCABULARY, HIDDEN),
    }
    for layer in range(LAYERS):
        moe = f"model.layers.{layer}.block_sparse_moe"
        shapes[f"{moe}.gate.weight"] = (EXPERTS, HIDDEN)
        for expert in range(EXPERTS):
            shapes[f"{moe}.experts.{expert}.w1.weight"] = (WIDTH, HIDDEN)
            shapes[f"{moe}.experts.{expert}.w2.weight"] = (HIDDEN, WIDTH)
            shapes[f"{moe}.experts.{expert}.w3.weight"] = (WIDTH, HIDDEN)
    return {name: np.ones(shape, np.float32) for name, shape in shapes.items()}


@pytest.fixture
def history(tmp_path, model):
    """A recorded history of the model in which expert 3 of each layer is never used."""
    folder = tmp_path / "history"
    writer = HistoryWriter(folder, architecture_of(model).revision)
    counts = np.array([[4, 3, 2, 0]] * LAYERS, np.uint32)
    writer.append(
        HistoryRecord(
            prompt_tokens=9, decode_tokens=0, vector=None, prefill=counts, decode=0 * counts
        )
    )
    writer.close()
    return folder
