"""What a request cost: headers, usage, metrics."""

import asyncio
from dataclasses import replace

import pytest

from remoe_functions.gateway import generation
from remoe_functions.gateway.summary import _decimal


async def test_cost_is_in_the_headers_and_in_the_usage(world):
    async with world() as w:
        response = await w.chat()
    # 0.5 s of 2 GiB at 1.0, 0.25 s of 1 GiB at 2.0, two calls at 0.5.
    assert float(response.headers["x-remoe-cost"]) == pytest.approx(1.0 + 0.5 + 1.0)
    assert float(response.headers["x-remoe-main-gib-seconds"]) == pytest.approx(1.0)
    assert float(response.headers["x-remoe-function-gib-seconds"]) == pytest.approx(0.25)
    own = response.json()["usage"]["remoe"]
    assert (own["cost"], own["currency"], own["complete"]) == (2.5, "USD", True)
    assert own["layers"] == [[3, 2, 0], [3, 2, 0]]
    assert own["ttft_seconds"] > 0
    assert own["functions_forecast"] == []


async def test_choices_are_billed_together(world):
    async with world() as w:
        own = (await w.chat(n=2)).json()["usage"]["remoe"]
    assert own["cost"] == pytest.approx(5.0)
    assert own["placements"] == {"local": 12, "remote": 8, "fallback": 0}
    assert own["layers"] == [[6, 4, 0], [6, 4, 0]]


LONG = "hello world, how are you today? " * 8


async def test_main_is_told_of_a_stop_string_and_tells_the_cost(world):
    async with world() as w:
        w.answers(LONG, token_pause=0.02)
        body = (await w.chat(stop="world", n=2)).json()
        shown = len(w.tokenizer.encode("hello world", add_special_tokens=False))
    assert [c["message"]["content"] for c in body["choices"]] == ["hello ", "hello "]
    jobs = [job["request_id"] for job in w.main.jobs]
    assert sorted(w.main.ended) == sorted(jobs)
    assert len(set(jobs)) == 2
    assert set(w.main.authorizations) == {"Bearer inner"}
    assert (w.main.left, w.main.open_streams) == (0, 0)
    usage = body["usage"]
    assert usage["remoe"]["complete"] is True
    assert usage["remoe"]["cost"] == pytest.approx(5.0)
    assert usage["completion_tokens"] == 2 * shown


@pytest.mark.parametrize("trouble", [{"end_status": 500}, {"heeds_end": False}])
async def test_cost_that_main_does_not_tell_is_marked_incomplete(trouble, world, monkeypatch):
    monkeypatch.setattr(generation, "_SETTLE_SECONDS", 0.2)
    async with world() as w:
        w.answers(LONG, token_pause=0.05, **trouble)
        body = (await w.chat(stop="world")).json()
        await w.until(lambda: w.main.open_streams == 0)
    assert len(w.main.jobs) == 1
    assert body["choices"][0]["message"]["content"] == "hello "
    assert body["usage"]["remoe"]["complete"] is False
    assert body["usage"]["remoe"]["main_gib_seconds"] > 0


async def test_main_that_dies_over_the_account_does_not_take_the_answer_along(world):
    async with world() as w:
        tokens = w.tokenizer.encode("hello world", add_special_tokens=False)
        w.answers(LONG, token_pause=0.02, heeds_end=False, die_after=[len(tokens) + 1])
        body = (await w.chat(stop="world")).json()
    assert len(w.main.jobs) == 1
    assert body["choices"][0]["message"]["content"] == "hello "
    assert body["usage"]["remoe"]["complete"] is False


async def test_functions_woken_while_the_request_ran_are_named(world):
    async with world() as w:
        w.main.first_pause = 0.1
        asked = asyncio.create_task(w.chat())
        await w.until(lambda: w.main.jobs)
        await w.runtime.wake("f1")
        own = (await asked).json()["usage"]["remoe"]
    assert own["functions_woken"] == ["f1"]


def test_small_costs_are_written_without_exponent():
    assert _decimal(1.5e-7) == "0.00000015"
    assert _decimal(0.0) == "0"


async def test_metrics_have_the_names_that_dashboards_know(world):
    async with world() as w:
        await w.chat()
        await w.chat(n=2, max_tokens=1)
        text = (await w.get("/metrics")).text
        assert await w.metric("vllm:time_to_first_token_seconds_count") == 2
        assert await w.metric("vllm:inter_token_latency_seconds_count") == 1
        assert await w.metric("vllm:request_time_per_output_token_seconds_count") == 2
        assert await w.metric("vllm:e2e_request_latency_seconds_count") == 2
        assert await w.metric("vllm:request_queue_time_seconds_count") == 2
        assert await w.metric("vllm:generation_tokens_total") == 4
        assert await w.metric("vllm:request_success_total", finished_reason="stop") == 1
        assert await w.metric("vllm:request_success_total", finished_reason="length") == 2
        assert await w.metric("vllm:num_requests_running") == 0
        assert await w.metric("remoe:request_gib_seconds_total", component="main") == 3.0
        assert await w.metric("remoe:expert_assignments_total", placement="remote") == 12
    assert 'vllm:prompt_tokens_total{model_name="tiny"}' in text


async def test_standing_cost_counts_what_is_awake_though_idle(world):
    async with world() as w:
        w.runtime.update("f0", awake_seconds=10.0, replicas=w.runtime.parts["main"].replicas)
        await w.until(lambda: w.entry.parts.parts["f0"].awake)
        assert await w.metric("remoe:functions_awake") == 1
        assert await w.metric("llm_total_hourly_cost") == 3600 * (2 * 1.0 + 1 * 2.0)
        labels = {"component": "functions", "part": "f0"}
        assert await w.metric("remoe:awake_gib_seconds_total", **labels) == 10.0
        assert await w.metric("llm_cost_per_million_tokens") == 0
        await w.chat()
        assert await w.metric("llm_cost_per_million_tokens") == pytest.approx(2.5 / 2 * 1e6)


async def test_start_of_a_part_is_told_phase_by_phase(world):
    async with world() as w:
        (replica,) = w.runtime.parts["main"].replicas
        started = replace(replica, phases={"imports": 0.5, "load": 2.0})
        w.runtime.update("main", replicas=(started,))
        await w.until(lambda: w.entry.parts.parts["main"].ready[0].phases)
        value = w.gateway.services.metrics.registry.get_sample_value
        assert (
            value(
                "remoe:start_phase_seconds", {"model_name": "tiny", "part": "main", "phase": "load"}
            )
            == 2.0
        )
