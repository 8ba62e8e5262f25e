"""A service whose experts have fewer bits answers, wherever they run, and alike everywhere."""

from __future__ import annotations

import pytest
from builders.expert_process import TOKEN, outcome, plan_for, running, written_plan
from main.engine_world import answer_of

from remoe_functions.checkpoint.blocks import BlockFormat
from remoe_functions.checkpoint.checkpoint import Checkpoint
from remoe_functions.main.directory import Endpoint, StaticDirectory
from remoe_functions.main.service import Service, ServiceOptions
from remoe_functions.quantized.making import quantize

PROMPT = tuple((7 * i * i + 3 * i + 5) % 128 for i in range(20))


@pytest.fixture(scope="module", params=["q8", "q4"])
def sidecar(request, mixtral, tmp_path_factory):
    path = tmp_path_factory.mktemp("sidecar") / request.param
    return quantize(Checkpoint.open(mixtral), BlockFormat(request.param), path)


def answer(mixtral, sidecar, plan=None, endpoints=()):
    service = Service(
        ServiceOptions(model=mixtral, experts=sidecar, plan=plan, dtype="float32", token=TOKEN),
        StaticDirectory(dict(endpoints)),
        lambda _: None,
    )
    service.start()
    try:
        return answer_of(service, PROMPT, 12)
    finally:
        service.stop()


def test_function_process_and_main_model_serve_the_same_sidecar(mixtral, sidecar, tmp_path):
    plan = plan_for(mixtral, served=lambda expert: expert.index % 2 == 0)
    path = written_plan(plan, tmp_path / "plan.json")
    local = answer(mixtral, sidecar)
    with running(mixtral, path, "--experts", str(sidecar)) as function:
        place = Endpoint(function.host, function.port)
        remote = answer(mixtral, sidecar, plan, {plan.functions[0].name: (place,)})
    assert remote == local


def test_function_without_its_sidecar_says_so_and_ends(mixtral, tmp_path):
    plan = plan_for(mixtral, served=lambda expert: expert.index == 0)
    path = written_plan(plan, tmp_path / "plan.json")
    status, said = outcome(mixtral, path, "--experts", str(tmp_path / "absent"))
    assert status == 2
    assert said.count("\n") == 1
    assert "no such file; `remoe quantize` makes it" in said
