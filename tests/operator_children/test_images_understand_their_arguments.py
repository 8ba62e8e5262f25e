"""What the operator writes on command lines and into files, the images' own parsers read."""

from __future__ import annotations

import json

import pytest
from builders.moe_services import a_plan, a_service, facts, served, settings

from remoe_functions.expert import arguments as expert_arguments
from remoe_functions.fetching import arguments as fetch_arguments
from remoe_functions.gateway import process as gateway_image
from remoe_functions.gateway.config import GatewayConfig
from remoe_functions.main import __main__ as main_image
from remoe_operator.children.fetch_job import fetch_args
from remoe_operator.children.function import function_args
from remoe_operator.children.gateway import gateway
from remoe_operator.children.gateway_config import gateway_config
from remoe_operator.children.main import main, main_args
from remoe_planner.plan import Plan


def test_main():
    service = a_service(main={"device": "gpu", "maxContext": 4096, "maxBatch": 3})
    options = main_image._parser().parse_args(list(main_args(service.spec)))
    assert (options.device, options.max_context, options.max_batch) == ("cuda", 4096, 3)
    assert (str(options.model), str(options.history)) == ("/model", "/history")
    assert (options.host, options.port) == ("0.0.0.0", 8000)


def test_main_keeps_its_history_within_what_it_may_take():
    service = a_service(history={"maxSize": "100Mi"})
    options = main_image._parser().parse_args(list(main_args(service.spec)))
    assert 0.8 * 100 * 2**20 < options.history_bytes < 100 * 2**20


def test_main_without_history():
    service = a_service(history={"enabled": False})
    options = main_image._parser().parse_args(list(main_args(service.spec)))
    assert options.history is None
    assert (options.device, options.max_context) == ("cpu", None)


def test_function():
    options = expert_arguments.parse(list(function_args("experts-1")))
    assert (options.function, options.port, options.metrics_port) == ("experts-1", 9000, 9001)


@pytest.mark.parametrize(
    ("sections", "at", "history"),
    [
        ({}, None, True),
        ({"model": {"uri": "hf://a/b", "revision": "v1", "endpoint": "http://c"}}, None, True),
        ({"model": {"uri": "pvc://claim/path"}}, "/model", True),
        ({"model": {"uri": "pvc://claim"}, "history": {"enabled": False}}, "/model", False),
    ],
)
def test_fetch(sections, at, history):
    service = a_service(**sections)
    options = fetch_arguments.parse(list(fetch_args(service)))
    assert options.uri == service.spec.model.uri
    assert options.revision == service.spec.model.revision
    assert options.endpoint == service.spec.model.endpoint
    assert (options.at and str(options.at), options.history) == (at, history)


def configured(*services, **operator):
    return GatewayConfig.model_validate_json(
        json.dumps(gateway_config([served(one) for one in services], settings(**operator), "lab"))
    )


def test_gateway_finds_its_configuration():
    made = gateway([served(a_service())], settings(), "lab")
    (container,) = made[-1]["spec"]["template"]["spec"]["containers"]
    options = gateway_image._parser().parse_args(container["args"])
    (mount,) = (one for one in container["volumeMounts"] if one["name"] == "config")
    assert str(options.config) == f"{mount['mountPath']}/gateway.json"


def test_gateway_of_one_service():
    config = configured(a_service("demo"))
    (model,) = config.models
    assert (config.cluster.namespace, config.port) == ("lab", 8000)
    assert (model.name, model.service, model.plan_digest) == ("demo", "demo", a_plan().digest)
    assert (model.keys_directory, model.profile, model.slo.ttft_seconds) == (None, None, None)
    assert str(model.directory) == "/models/demo/model"


def test_gateway_of_a_service_with_everything():
    config = configured(
        a_service(
            "rich",
            model={"uri": "hf://a/b", "servedName": "org/model"},
            slo={"ttft": "1500ms", "percentile": 99},
            prices={"functionGibSecond": 2, "call": 1, "currency": "EUR"},
            main={"minReplicas": 1, "maxContext": 2048},
            profile={"name": "measured"},
            auth={"keysSecret": "keys"},
        ),
        gateway={"drainSeconds": 20, "lameDuckSeconds": 3},
    )
    (model,) = config.models
    assert (model.name, model.max_context) == ("org/model", 2048)
    assert (model.slo.ttft_seconds, model.slo.percentile) == (1.5, pytest.approx(0.99))
    assert model.main_keep_alive_seconds is None
    prices = config.prices_of(model)
    assert (prices.function_gib_second, prices.call, prices.currency) == (2, 1, "EUR")
    assert str(model.keys_directory) == "/etc/remoe/keys/rich"
    assert str(model.profile) == "/etc/remoe/profiles/rich/profile.json"
    assert (config.limits.drain_seconds, config.limits.lame_duck_seconds) == (20, 3)


def test_gateway_of_several_services():
    config = configured(a_service("one"), a_service("two", history={"enabled": False}))
    assert [model.name for model in config.models] == ["one", "two"]
    assert [model.history and str(model.history) for model in config.models] == [
        "/models/one/history",
        None,
    ]


def test_the_plan_that_parts_mount_is_one():
    plan = a_plan()
    assert Plan.from_json(plan.plan.to_json()) == plan.plan
    made = main(a_service(), settings(), facts(), plan)
    volumes = made[-1]["spec"]["template"]["spec"]["volumes"]
    (volume,) = (one for one in volumes if one["name"] == "plan")
    assert volume["configMap"]["name"] == f"demo-plan-{plan.digest}"
