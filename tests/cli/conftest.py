"""A checkpoint folder small enough to be written for every test, and the command to run on it."""

import numpy as np
import pytest
from builders.small_mixtral import LAYERS, small_mixtral
from typer.testing import CliRunner

from remoe_functions.cli.app import app
from remoe_functions.cli.planning import architecture_of
from remoe_functions.history.record import HistoryRecord
from remoe_functions.history.writer import HistoryWriter


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
    return small_mixtral(tmp_path / "tiny")


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
