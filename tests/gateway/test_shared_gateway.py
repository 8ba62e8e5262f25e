"""One gateway for several models: none is mixed with another, nor brought down by it."""

import asyncio
import shutil

import pytest
from gateway.several import answers, in_cluster, shared

from remoe_functions.gateway import model_entry
from remoe_functions.runtime.backoff import Backoff


@pytest.fixture
def directories(tmp_path, model_directory):
    """Two models' folders."""
    return [shutil.copytree(model_directory, tmp_path / name) for name in ("a", "b")]


async def test_each_request_reaches_its_own_main(directories):
    a, b = directories
    async with shared(in_cluster("a", a), in_cluster("b", b)) as w:
        answers(w.mains["a"], a, "quick")
        answers(w.mains["b"], b, "brown")
        texts = [(await w.ask(name)).json()["choices"][0]["text"] for name in ("a", "b")]
    assert texts == ["quick", "brown"]
    assert [len(main.jobs) for main in w.mains.values()] == [1, 1]


async def test_waking_one_model_wakes_no_other_of_the_same_part(directories):
    async with shared(*(in_cluster(d.name, d) for d in directories)) as w:
        w.runtimes["b"].main_gone()
        main = w.mains["b"]
        w.runtimes["b"].on_wake["main"] = lambda: w.runtimes["b"].main_ready(main.port)
        await w.until(lambda: not w.entries["b"].service.door.is_ready)
        assert (await w.ask("b")).status_code == 200
    assert (w.runtimes["a"].wakes, w.runtimes["b"].wakes) == ([], ["main"])


async def test_parts_of_the_same_name_are_counted_by_model(directories):
    a, b = directories
    prices = {"main_gib_second": 3.0, "function_gib_second": 0.0, "currency": "EUR"}
    async with shared(in_cluster("a", a), in_cluster("b", b, prices=prices)) as w:
        replicas = w.runtimes["a"].parts["main"].replicas
        w.runtimes["a"].update("f0", desired=1, replicas=replicas)
        await w.until(lambda: w.entries["a"].own_parts["f0"].awake)
        await w.ask("b")
        value = w.gateway.services.metrics.registry.get_sample_value
        awake = [value("remoe:functions_awake", {"model_name": name}) for name in ("a", "b")]
        hourly = value("llm_total_hourly_cost", {"model_name": "b"})
        labels = {"model_name": "b", "component": "main", "currency": "EUR"}
        assert awake == [1, 0]
        assert hourly == 3600 * 2 * 3.0
        assert value("remoe:request_cost_total", labels) > 0


async def test_each_main_is_told_its_own_token_and_a_new_one_when_it_changes(directories, tmp_path):
    a, b = directories
    token = tmp_path / "token"
    token.write_text("secret-of-a\n")
    async with shared(in_cluster("a", a, token_file=token), in_cluster("b", b)) as w:
        await w.ask("a")
        token.write_text("another")
        await w.ask("a")
        token.unlink()
        await w.ask("a")
        await w.ask("b")
    told = ["Bearer secret-of-a", "Bearer another", "Bearer another"]
    assert w.mains["a"].authorizations == told
    assert w.mains["b"].authorizations == ["Bearer inner"]


@pytest.mark.parametrize("broken", ["plan.json", "tokenizer.json", "config.json"])
async def test_broken_model_is_told_to_its_users_and_costs_the_others_nothing(broken, directories):
    a, b = directories
    (b / broken).write_text("{")
    async with shared(in_cluster("a", a), in_cluster("b", b)) as w:
        answers(w.mains["a"], a, "quick")
        good, bad = await w.ask("a"), await w.ask("b")
        listed, ready = await w.listed(), (await w.get("/ready")).json()
        value = w.gateway.services.metrics.registry.get_sample_value
        available = [value("remoe:model_available", {"model_name": name}) for name in ("a", "b")]
    assert good.status_code == 200
    assert bad.status_code == 503
    assert bad.json()["error"]["code"] == "model_unavailable"
    assert broken in bad.json()["error"]["message"]
    assert int(bad.headers["retry-after"]) >= 1
    assert (listed["a"]["available"], listed["b"]["available"]) == (True, False)
    assert broken in listed["b"]["reason"]
    assert list(ready["unavailable"]) == ["b"]
    assert available == [1, 0]


async def test_broken_model_is_served_once_it_is_mended(directories, monkeypatch):
    a, b = directories
    kept = (b / "plan.json").read_text()
    (b / "plan.json").unlink()
    soon = Backoff(first_seconds=0.05, max_seconds=0.1)
    monkeypatch.setitem(model_entry.ModelEntry.__init__.__kwdefaults__, "retries", soon)
    async with shared(in_cluster("a", a), in_cluster("b", b)) as w:
        assert (await w.ask("b")).status_code == 503
        (b / "plan.json").write_text(kept)
        await w.until(lambda: w.entries["b"].served is not None)
        answers(w.mains["b"], b, "brown")
        assert (await w.ask("b")).json()["choices"][0]["text"] == "brown"
        assert (await w.listed())["b"]["available"] is True


async def test_gateway_of_nothing_but_a_broken_model_says_so(directories):
    (directories[0] / "config.json").unlink()
    async with shared(in_cluster("a", directories[0])) as w:
        assert (await w.ask("a")).status_code == 503
        assert (await w.get("/usage")).status_code == 503


async def test_awake_mains_are_served_while_the_api_server_is_away(directories):
    async with shared(*(in_cluster(d.name, d) for d in directories)) as w:
        for runtime in w.runtimes.values():
            runtime.unavailable = True
        answers = await asyncio.gather(*(w.ask(name) for name in ("a", "b") * 3))
    assert {answer.status_code for answer in answers} == {200}


async def test_model_that_is_not_deployed_yet_is_told_with_its_reason(directories):
    async with shared(in_cluster("a", directories[0])) as w:
        runtime = w.runtimes["a"]
        main = runtime.parts.pop("main")
        runtime.update("f0")
        await w.until(lambda: "main" not in w.entries["a"].own_parts)
        answer = await w.ask("a")
        runtime.parts["main"] = main
        runtime.update("main")
        await w.until(lambda: "main" in w.entries["a"].own_parts)
        again = await w.ask("a")
    assert answer.status_code == 503
    assert answer.json()["error"]["code"] == "model_not_deployed"
    assert "being fetched" in answer.json()["error"]["message"]
    assert int(answer.headers["retry-after"]) > 0
    assert again.status_code == 200
