"""The configuration and the files it names: checked at the start, refused in one readable line."""

import json
import shutil

import pytest

from remoe_functions.gateway.config import ConfigError, GatewayConfig, ModelConfig
from remoe_functions.gateway.served_model import ServedModel

MODEL = {"name": "tiny", "directory": "d", "plan": "p"}
CLUSTER = {"cluster": {"namespace": "ns"}}
SERVICE = MODEL | {"service": "s", "plan_digest": "0123abcd"}
OTHER = SERVICE | {"name": "b", "service": "t"}


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
        ({"models": [MODEL], "limits": {"lame_duck_seconds": -1}}, "limits.lame_duck_seconds"),
        ({"models": [MODEL | {"slo": {"ttft_seconds": 0}}]}, "models.0.slo.ttft_seconds"),
        ({"models": [MODEL | {"slo": {"percentile": 95}}]}, "models.0.slo.percentile"),
        ({"models": [MODEL | {"prices": {"call": -1}}]}, "models.0.prices.call"),
        ({"models": [SERVICE | {"service": "S_1"}], **CLUSTER}, "models.0.service"),
        ({"models": [SERVICE | {"plan_digest": "xyz"}], **CLUSTER}, "models.0.plan_digest"),
        ({"models": [SERVICE], "cluster": {"namespace": "N"}}, "cluster.namespace"),
        ({"models": [SERVICE], "cluster": {}}, "cluster.namespace"),
        ({"models": [MODEL], **CLUSTER}, "model 'tiny' needs a service"),
        ({"models": [MODEL | {"service": "s"}], **CLUSTER}, "model 'tiny' needs a plan_digest"),
        ({"models": [SERVICE | {"main_url": "http://x:1"}], **CLUSTER}, "has a main_url"),
        ({"models": [SERVICE, OTHER | {"service": "s"}], **CLUSTER}, "services must be unique"),
        (
            {"models": [SERVICE | {"history": "h"}, OTHER | {"history": "i", "state": "h"}]},
            "state folders",
        ),
    ],
)
def test_wrong_field_is_named(tmp_path, body, named):
    with pytest.raises(ConfigError, match=named) as caught:
        read(tmp_path, body)
    assert "\n" not in str(caught.value)


def test_services_of_a_cluster_need_no_more_than_their_names(tmp_path):
    config = read(tmp_path, {"models": [SERVICE, OTHER], **CLUSTER})
    assert [model.service for model in config.models] == ["s", "t"]
    assert config.models[0].state_folder is None


def test_price_list_of_a_model_goes_before_the_gateways(tmp_path):
    own = OTHER | {"prices": {"call": 2, "currency": "EUR"}}
    config = read(tmp_path, {"models": [SERVICE, own], "prices": {"call": 1}})
    told = [config.prices_of(model) for model in config.models]
    assert [(prices.call, prices.currency) for prices in told] == [(1, "USD"), (2, "EUR")]


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
