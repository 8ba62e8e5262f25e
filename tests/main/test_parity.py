"""Greedy tokens equal stock `model.generate`, whatever runs where and whatever dies."""

from __future__ import annotations

import pytest
import torch
import transformers
from builders.tiny_checkpoints import REQUIRED, VOCAB
from main.engine_world import answer_of, ask, world

from remoe_functions.main.settings import CallSettings

FREE = (
    "granitemoeshared",
    "granitemoehybrid",
    "minimax_m2",
    "dots1",
    "glm4_moe",
    "glm4_moe_lite",
    "ernie4_5_moe",
    "exaone_moe",
    "flex_olmo",
    "hunyuan_v1_moe",
    "cohere2_moe",
    "solar_open",
    "mellum",
    "afmoe",
    "nemotron_h",
)
PLACEMENTS = {
    "all local": {},
    "all remote": {"is_remote": lambda _: True},
    "half remote": {"is_remote": lambda expert: expert.index % 2 == 0},
    "two functions, two replicas each": {
        "is_remote": lambda expert: expert.index > 0,
        "functions": 2,
        "replicas": 2,
        "calls": CallSettings(spread_pairs=4, max_rows_bytes=4096),
    },
}
PROMPT = tuple((7 * i * i + 3 * i + 5) % VOCAB for i in range(44))
NEW_TOKENS = 12
BFLOAT16_LOGIT_BOUND = 0.05  # of the largest logit


@pytest.fixture(scope="session")
def stock(checkpoint_of):
    """Tokens of transformers' own generate, once for each prompt."""
    models, known = {}, {}

    def tokens(architecture, prompt, count):
        key = (architecture, prompt, count)
        if key not in known:
            if architecture not in models:
                models[architecture] = transformers.AutoModelForCausalLM.from_pretrained(
                    checkpoint_of(architecture), attn_implementation="eager"
                )
            out = models[architecture].generate(
                torch.tensor([prompt]),
                attention_mask=torch.ones(1, len(prompt), dtype=torch.long),
                max_new_tokens=count,
                do_sample=False,
                eos_token_id=None,
                pad_token_id=0,
            )
            known[key] = out[0, len(prompt) :].tolist()
        return known[key]

    return tokens


CASES = [
    *((architecture, placement) for architecture in REQUIRED for placement in PLACEMENTS),
    *((architecture, placement) for architecture in FREE for placement in list(PLACEMENTS)[::2]),
]


@pytest.mark.parametrize(("architecture", "placement"), CASES)
def test_greedy_tokens_equal_stock_generate(architecture, placement, checkpoint_of, stock):
    with world(checkpoint_of(architecture), **PLACEMENTS[placement]) as w:
        asked = ask(w.service, PROMPT, NEW_TOKENS)
        usage = asked.end().usage
    assert asked.tokens == stock(architecture, PROMPT, NEW_TOKENS)
    local, remote, fallback = usage.layers.sum(axis=0)
    assert fallback == 0
    assert (remote > 0) == (placement != "all local")
    assert (local > 0) == (placement != "all remote")


@pytest.mark.parametrize("architecture", REQUIRED)
def test_a_function_that_dies_mid_request_changes_no_token(architecture, checkpoint_of, stock):
    with world(checkpoint_of(architecture), lambda _: True) as w:
        asked = ask(w.service, PROMPT, NEW_TOKENS)
        for _ in range(3):
            asked.next()
        w.servers["f0"][0].stop()
        usage = asked.end().usage
    assert asked.tokens == stock(architecture, PROMPT, NEW_TOKENS)
    assert usage.layers.sum(axis=0)[2] > 0


@pytest.mark.parametrize("architecture", REQUIRED)
def test_concurrent_requests_each_get_what_they_get_alone(architecture, checkpoint_of, stock):
    prompts = [PROMPT[:length] for length in (5, 44, 17, 30, 3)]
    with world(checkpoint_of(architecture), lambda e: e.index % 2 == 0, max_batch=3) as w:
        asked = [
            ask(w.service, prompt, NEW_TOKENS - 2 * number) for number, prompt in enumerate(prompts)
        ]
        for each in asked:
            each.end()
    for number, (prompt, each) in enumerate(zip(prompts, asked, strict=True)):
        assert each.tokens == stock(architecture, prompt, NEW_TOKENS - 2 * number), number


def test_one_dead_replica_of_two_costs_no_fallback(checkpoint_of, stock):
    with world(checkpoint_of("mixtral"), lambda _: True, replicas=2) as w:
        asked = ask(w.service, PROMPT, NEW_TOKENS)
        asked.next()
        w.servers["f0"][0].stop()
        usage = asked.end().usage
    assert asked.tokens == stock("mixtral", PROMPT, NEW_TOKENS)
    assert usage.layers.sum(axis=0)[2] == 0
    assert w.service.caller.retries["f0"] >= 1


def test_a_long_prompt_prefilled_in_chunks_between_decode_steps(checkpoint_of, stock, monkeypatch):
    from remoe_functions.main import service

    small = service.EngineSettings
    monkeypatch.setattr(
        service, "EngineSettings", lambda **fields: small(prefill_chunk=7, cache_block=8, **fields)
    )
    with world(checkpoint_of("gpt_oss")) as w:
        first = ask(w.service, PROMPT[:4], NEW_TOKENS)
        first.next()
        second = ask(w.service, PROMPT, NEW_TOKENS)
        first.end()
        second.end()
    assert first.tokens == stock("gpt_oss", PROMPT[:4], NEW_TOKENS)
    assert second.tokens == stock("gpt_oss", PROMPT, NEW_TOKENS)


@pytest.mark.parametrize("architecture", ["mixtral", "gpt_oss", "deepseek_v3"])
def test_bfloat16_logits_stay_as_near_to_float32s_as_the_stock_models(architecture, checkpoint_of):
    folder = checkpoint_of(architecture, dtype="bfloat16")

    def logits_in(dtype):
        model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=dtype)
        with torch.no_grad():
            return model(torch.tensor([PROMPT])).logits[0, -1].float()

    exact, stock = logits_in(torch.float32), logits_in(torch.bfloat16)
    with world(folder, lambda e: e.index % 2 == 0) as w:
        stepper = w.service._stepper
        answer_of(w.service, PROMPT[:2], 1)
        stepper.cache.reserve(len(PROMPT), 1)
        got = torch.from_numpy(stepper.prefill(list(PROMPT), slot=0, start=0))
    # Not compared with each other: a rounding may send a token to another expert in one of the two,
    # which is no farther from the truth for it.
    bound = (stock - exact).abs().max() + BFLOAT16_LOGIT_BOUND * exact.abs().max()
    assert (got - exact).abs().max() <= bound
