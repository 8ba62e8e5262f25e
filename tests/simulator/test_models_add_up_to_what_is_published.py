from dataclasses import replace

import pytest

from remoe_functions.checkpoint.cache_bytes import cache_bytes_per_token
from remoe_simulator.models import GPT2_MOE, MODELS, PUBLISHED

PARAMETERS = {
    "deepseek-v2-lite": 15_706_484_224,
    "qwen3-30b-a3b": 30_532_122_624,
    "mixtral-8x7b": 46_702_792_704,
    "deepseek-v3": 671_026_404_352 + 58 * 256,
    "gpt-oss-20b": 20_914_757_184,
    "qwen1.5-moe": 14_315_784_192,
}
"""Of each checkpoint; DeepSeek-V3's with the bias of every gate, which is no parameter there."""

ACTIVE_BILLIONS = {
    "deepseek-v2-lite": 2.4,
    "mixtral-8x7b": 12.9,
    "deepseek-v3": 37,
    "gpt-oss-20b": 3.6,
    "qwen3-30b-a3b": 3.0,
}
"""As their makers round them; with the embedding's table or without."""

CONFIGS = {
    "deepseek-v2-lite": {
        "num_hidden_layers": 27,
        "hidden_size": 2048,
        "num_attention_heads": 16,
        "num_key_value_heads": 16,
        "kv_lora_rank": 512,
        "qk_rope_head_dim": 64,
    },
    "deepseek-v3": {
        "num_hidden_layers": 61,
        "hidden_size": 7168,
        "num_attention_heads": 128,
        "num_key_value_heads": 128,
        "kv_lora_rank": 512,
        "qk_rope_head_dim": 64,
    },
    "mixtral-8x7b": {
        "num_hidden_layers": 32,
        "hidden_size": 4096,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
    },
    "qwen3-30b-a3b": {
        "num_hidden_layers": 48,
        "hidden_size": 2048,
        "num_attention_heads": 32,
        "num_key_value_heads": 4,
        "head_dim": 128,
    },
    "gpt-oss-20b": {
        "num_hidden_layers": 24,
        "hidden_size": 2880,
        "num_attention_heads": 64,
        "num_key_value_heads": 8,
        "head_dim": 64,
    },
}


@pytest.mark.parametrize("name", PARAMETERS)
def test_parameters_are_those_of_the_checkpoint(name):
    assert PUBLISHED[name].parameters == PARAMETERS[name]


def test_gpt2_with_one_expert_and_no_gate_is_gpt2_itself():
    one = replace(GPT2_MOE, experts=1, top_k=1, gate_parameters=0)

    assert one.parameters == 124_439_808


@pytest.mark.parametrize("name", ACTIVE_BILLIONS)
def test_a_token_goes_through_as_many_parameters_as_makers_say(name):
    model = PUBLISHED[name]
    table = model.gathered_bytes / 2

    fewest, most = model.active_parameters / 1e9, (model.active_parameters + table) / 1e9

    assert 0.97 * fewest <= ACTIVE_BILLIONS[name] <= 1.03 * most


@pytest.mark.parametrize("name", CONFIGS)
def test_keys_and_values_are_what_the_product_reads_from_the_config(name):
    assert MODELS[name].cache_bytes_per_token == cache_bytes_per_token(CONFIGS[name])


def test_latent_attention_keeps_a_small_part_of_what_other_attention_would():
    model = PUBLISHED["deepseek-v2-lite"]
    whole = 2 * 27 * 16 * 128 * 2

    assert model.architecture.cache_bytes_per_token < whole / 7


@pytest.mark.parametrize(
    ("name", "gigabytes"),
    [("deepseek-v2-lite", 31.4), ("mixtral-8x7b", 93.4), ("gpt-oss-20b", 13.76)],
)
def test_bytes_are_those_of_the_published_files(name, gigabytes):
    assert MODELS[name].total_bytes / 1e9 == pytest.approx(gigabytes, rel=2e-3)


@pytest.mark.parametrize("name", MODELS)
def test_weights_in_eight_bits_or_less_take_less_than_two_bytes_each(name):
    model = PUBLISHED[name]
    each = model.architecture.total_bytes / model.parameters

    assert each == 2.0 if name not in ("deepseek-v3", "gpt-oss-20b") else 0.6 < each < 1.01


@pytest.mark.parametrize(("name", "first"), [("deepseek-v2-lite", 1), ("deepseek-v3", 3)])
def test_dense_first_layers_have_no_experts_and_count_with_the_main_model(name, first):
    model = PUBLISHED[name]
    sparse = replace(model, dense_parameters=0)

    assert model.architecture.layers[0] == first
    assert model.layers == first + len(model.architecture.layers)
    assert model.main_bytes > sparse.main_bytes


def test_shared_experts_count_with_the_main_model():
    model = PUBLISHED["deepseek-v2-lite"]
    alone = replace(model, shared_parameters=0)

    assert model.main_bytes - alone.main_bytes == 26 * 2 * model.architecture.expert_bytes
    assert model.architecture.expert_bytes == alone.architecture.expert_bytes
