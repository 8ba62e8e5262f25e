"""Functions a prompt will need are woken while main is still asleep; trouble never shows."""

import asyncio
import json
import shutil

import numpy as np
import pytest
from gateway.conftest import GIB
from safetensors.numpy import save_file

from remoe_functions.checkpoint.checkpoint import Checkpoint
from remoe_functions.encoder.embedding_table import embedding_table
from remoe_functions.history.record import HistoryRecord
from remoe_functions.history.writer import HistoryWriter
from remoe_planner.experts import ExpertId
from remoe_planner.plan import FunctionPlan, Plan
from remoe_planner.prompt_vector import prompt_vector

HIDDEN, EXPERTS, LAYERS = 8, 4, 2


@pytest.fixture(scope="module")
def checkpoint_directory(tmp_path_factory, model_directory):
    """A whole tiny Mixtral: f0 serves expert 0 of both layers, f1 expert 1."""
    directory = tmp_path_factory.mktemp("mixtral") / "m"
    shutil.copytree(model_directory, directory)
    noise = np.random.default_rng(0)
    tensors = {"model.embed_tokens.weight": noise.normal(size=(320, HIDDEN)).astype(np.float32)}
    for layer in range(LAYERS):
        moe = f"model.layers.{layer}.block_sparse_moe"
        tensors[f"{moe}.gate.weight"] = np.zeros((EXPERTS, HIDDEN), np.float32)
        for expert in range(EXPERTS):
            for name, shape in (("w1", (4, HIDDEN)), ("w3", (4, HIDDEN)), ("w2", (HIDDEN, 4))):
                tensors[f"{moe}.experts.{expert}.{name}.weight"] = np.zeros(shape, np.float32)
    save_file(tensors, directory / "model.safetensors")
    config = {
        "model_type": "mixtral",
        "architectures": ["MixtralForCausalLM"],
        "hidden_size": HIDDEN,
        "intermediate_size": 4,
        "num_hidden_layers": LAYERS,
        "num_local_experts": EXPERTS,
        "num_experts_per_tok": 1,
        "hidden_act": "silu",
        "vocab_size": 320,
        "max_position_embeddings": 256,
        "eos_token_id": 1,
    }
    (directory / "config.json").write_text(json.dumps(config))
    functions = tuple(
        FunctionPlan(
            name=f"f{i}", experts=(ExpertId(0, i), ExpertId(1, i)), memory_bytes=GIB, max_replicas=1
        )
        for i in range(2)
    )
    architecture = Checkpoint.open(directory).architecture
    plan = Plan(architecture=architecture, functions=functions, main_memory_bytes=GIB)
    (directory / "plan.json").write_text(plan.to_json())
    return directory


def remember(directory, checkpoint_directory, tokens, expert):
    """One request whose prompt used this expert of every layer and no other."""
    checkpoint = Checkpoint.open(checkpoint_directory)
    counts = np.zeros((LAYERS, EXPERTS), np.uint32)
    counts[:, expert] = 100
    writer = HistoryWriter(directory, checkpoint.architecture.revision)
    writer.append(
        HistoryRecord(
            prompt_tokens=100,
            decode_tokens=0,
            vector=prompt_vector(embedding_table(checkpoint), tokens),
            prefill=counts,
            decode=counts,
        )
    )
    writer.close()
    assert writer.dropped == 0


def model(checkpoint_directory, history):
    plan = checkpoint_directory / "plan.json"
    return {"directory": checkpoint_directory, "plan": plan, "history": history}


async def ask(w, tokens):
    body = {"model": "tiny", "prompt": tokens, "max_tokens": 2}
    return (await w.post("/v1/completions", body)).json()["usage"]["remoe"]


async def knows(w):
    await w.until(lambda: w.service.forecasting._signature is not None)


@pytest.mark.parametrize(("expert", "functions"), [(0, ["f0"]), (1, ["f1"]), (2, [])])
async def test_functions_of_similar_prompts_are_woken_beside_main(
    world, tmp_path, checkpoint_directory, expert, functions
):
    remember(tmp_path, checkpoint_directory, [10, 11, 12], expert)
    cheap = {"function_gib_second": 1e-4}
    configured = model(checkpoint_directory, tmp_path)
    async with world(asleep=True, model=configured, prices=cheap) as w:
        await knows(w)
        asked = asyncio.create_task(ask(w, [10, 11, 12]))
        await w.until(lambda: len(w.runtime.wakes) == 1 + len(functions))
        assert sorted(w.runtime.wakes) == [*functions, "main"]
        w.runtime.main_ready(w.main.port)
        own = await asked
    assert own["functions_forecast"] == functions
    assert own["functions_woken"] == functions


async def test_forecast_is_judged_by_the_functions_used(world, tmp_path, checkpoint_directory):
    remember(tmp_path, checkpoint_directory, [10, 11], 0)
    async with world(model=model(checkpoint_directory, tmp_path)) as w:
        await knows(w)
        await ask(w, [10, 11])
        assert await w.metric("remoe:forecast_recall_sum") == 1.0
        assert await w.metric("remoe:forecast_precision_sum") == 1.0


async def test_function_awake_already_is_not_woken(world, tmp_path, checkpoint_directory):
    remember(tmp_path, checkpoint_directory, [10], 0)
    async with world(model=model(checkpoint_directory, tmp_path)) as w:
        await knows(w)
        await w.runtime.wake("f0")
        await w.until(lambda: w.entry.parts.parts["f0"].desired == 1)
        await ask(w, [10])
    assert w.runtime.wakes == ["f0"]


async def test_history_that_grows_is_read_again(world, tmp_path, checkpoint_directory):
    forecast = {"history_refresh_seconds": 0.05}
    async with world(model=model(checkpoint_directory, tmp_path), forecast=forecast) as w:
        await knows(w)
        assert (await ask(w, [10]))["functions_forecast"] == []
        remember(tmp_path, checkpoint_directory, [10], 1)
        service = w.service
        await w.until(lambda: service.forecasting.forecast.past.requests > 0)
        assert (await ask(w, [10]))["functions_forecast"] == ["f1"]


async def test_without_history_requests_are_served_and_nothing_is_forecast(
    world, tmp_path, checkpoint_directory
):
    async with world(model=model(checkpoint_directory, tmp_path / "nowhere")) as w:
        await knows(w)
        own = await ask(w, [10])
        assert await w.metric("remoe:forecast_recall_count") == 0
    assert own["functions_forecast"] == []
    assert w.runtime.wakes == []


async def test_history_that_cannot_be_read_does_not_show(world, tmp_path, checkpoint_directory):
    broken = tmp_path / "file"
    broken.write_text("not a folder")
    async with world(model=model(checkpoint_directory, broken)) as w:
        assert (await ask(w, [10]))["cost"] > 0


async def test_checkpoint_without_weights_does_not_show(world, tmp_path):
    async with world(model={"history": tmp_path}) as w:
        assert (await ask(w, [10]))["functions_forecast"] == []


async def test_long_history_foretells_by_vector_and_the_answer_says_so(
    world, tmp_path, checkpoint_directory
):
    tokens = np.random.default_rng(1).integers(2, 300, (40, 6)).tolist()
    for prompt in tokens:
        remember(tmp_path, checkpoint_directory, prompt, prompt[0] % 2)
    async with world(model=model(checkpoint_directory, tmp_path)) as w:
        await knows(w)
        told = (await ask(w, tokens[0]))["forecast"]
        assert await w.metric("remoe:forecasts_total", basis="the prompt's vector") == 1
    assert told["basis"] == "the prompt's vector"
    assert told["expected_divergence"] > 0
