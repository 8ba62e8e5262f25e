"""The configuration and the files it names: checked at the start, refused in one readable line."""

import json
import shutil

import pytest

from remoe_functions.gateway.config import ConfigError, GatewayConfig, ModelConfig
from remoe_functions.gateway.served_model import ServedModel

MODEL = {"name": "tiny", "directory": "d", "plan": "p"}


def read(tmp_path, body):
    path = tmp_path / "gateway.json"
    path.write_text(body if isinstance(body, str) else json.dumps(body))
    return GatewayConfig.read(path)


def test_defaults_are_enough(tmp_path):
    config = read(tmp_path, {"models": [MODEL]})
    assert (config.host, config.models[0].main_part) == ("127.0.0.1", "main")
    assert config.limits.drain_seconds == 45


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ("{", "file: Invalid JSON"),
        ({"models": []}, "models"),
        ({"models": [MODEL], "prot": 1}, "prot"),
        ({"models": [MODEL], "port": 70000}, "port"),
        ({"models": [MODEL, MODEL]}, "unique"),
        ({"models": [MODEL | {"main_url": "ftp://x"}]}, "models.0.main_url"),
        ({"models": [MODEL, MODEL | {"name": "b", "main_url": "http://x:1"}]}, "main_url"),
        ({"models": [MODEL], "prices": {"call": -1}}, "prices.call"),
        ({"models": [MODEL], "limits": {"drain_seconds": 0}}, "limits.drain_seconds"),
    ],
)
def test_wrong_field_is_named(tmp_path, body, named):
    with pytest.raises(ConfigError, match=named) as caught:
        read(tmp_path, body)
    assert "\n" not in str(caught.value)


def test_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"nowhere\.json"):
        GatewayConfig.read(tmp_path / "nowhere.json")


@pytest.fixture
def model(tmp_path, model_directory):
    directory = tmp_path / "model"
    shutil.copytree(model_directory, directory)
    return ModelConfig(name="tiny", directory=directory, plan=directory / "plan.json")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("config.json", None),
        ("config.json", "[]"),
        ("config.json", '{"vocab_size": 3}'),
        ("tokenizer.json", None),
        ("tokenizer.json", "{}"),
        ("tokenizer_config.json", "{"),
        ("plan.json", None),
        ("plan.json", '{"version": 9}'),
        ("chat_template.jinja", "{% if %}"),
    ],
)
def test_missing_or_broken_file_is_named(model, name, content):
    path = model.directory / name
    path.unlink(missing_ok=True) if content is None else path.write_text(content)
    with pytest.raises(ConfigError, match=r"model"):
        ServedModel.open(model)


def test_context_is_the_shorter_of_the_models_and_the_configured(model):
    assert ServedModel.open(model).context == 256
    shorter = model.model_copy(update={"max_context": 100})
    assert ServedModel.open(shorter).context == 100


def test_end_tokens_are_gathered_from_every_file(model):
    (model.directory / "generation_config.json").write_text('{"eos_token_id": [7, 8]}')
    assert ServedModel.open(model).eos_token_ids == (1, 7, 8)


def test_template_file_goes_before_the_settings(model):
    (model.directory / "chat_template.jinja").write_text("own")
    served = ServedModel.open(model)
    assert served.tokenizer.decode_all(served.chat_prompt([{"role": "user"}])) == "own"
    assert (model.directory / "config.json").exists()
