"""What a token takes in the key-value cache."""

from __future__ import annotations

import pytest

from remoe_functions.checkpoint.cache_bytes import cache_bytes_per_token
from remoe_functions.checkpoint.errors import CheckpointError

GROUPED = {
    "num_hidden_layers": 30,
    "num_attention_heads": 9,
    "num_key_value_heads": 3,
    "hidden_size": 576,
    "dtype": "bfloat16",
}


def test_a_key_and_a_value_for_each_key_value_head():
    assert cache_bytes_per_token(GROUPED) == 2 * 30 * 3 * 64 * 2


def test_heads_may_be_wider_than_the_hidden_size_says():
    assert cache_bytes_per_token(GROUPED | {"head_dim": 128}) == 2 * 30 * 3 * 128 * 2


def test_without_groups_every_head_keeps_its_own():
    plain = {name: value for name, value in GROUPED.items() if name != "num_key_value_heads"}
    assert cache_bytes_per_token(plain) == 2 * 30 * 9 * 64 * 2


def test_latent_attention_keeps_one_compressed_row():
    latent = GROUPED | {"kv_lora_rank": 512, "qk_rope_head_dim": 64, "num_hidden_layers": 27}
    assert cache_bytes_per_token(latent) == 27 * (512 + 64) * 2


def test_float32_takes_twice_as_much():
    wide = GROUPED | {"dtype": "float32"}
    assert cache_bytes_per_token(wide) == 2 * cache_bytes_per_token(GROUPED)


def test_layers_without_attention_keep_nothing():
    hybrid = GROUPED | {"layers_block_type": ["mamba", "attention", "mamba", "moe"]}
    assert cache_bytes_per_token(hybrid) == 2 * 1 * 3 * 64 * 2


def test_a_config_that_does_not_tell_counts_as_unknown():
    assert cache_bytes_per_token({"num_hidden_layers": 2}) == 0


def test_heads_that_are_no_number_are_refused():
    with pytest.raises(CheckpointError, match="num_key_value_heads"):
        cache_bytes_per_token(GROUPED | {"num_key_value_heads": "three"})
