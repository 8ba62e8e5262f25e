"""The JSON files beside the weights: configuration, generation defaults and tokenizer."""

from typing import Any

from remoe_functions.demo_model.dense import Shape, Vocabulary

EXPERTS_PER_TOKEN = 2


def model_config(shape: Shape, experts: int) -> dict[str, Any]:
    """Mixtral's config.json for the dense model's shape."""
    return {
        "architectures": ["MixtralForCausalLM"],
        "model_type": "mixtral",
        "dtype": "bfloat16",
        "torch_dtype": "bfloat16",
        "vocab_size": shape.vocabulary,
        "hidden_size": shape.hidden,
        "intermediate_size": shape.intermediate,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.key_value_heads,
        "head_dim": shape.hidden // shape.heads,
        "hidden_act": "silu",
        "max_position_embeddings": shape.context,
        "initializer_range": 0.02,
        "rms_norm_eps": shape.norm_epsilon,
        "rope_theta": shape.rope_theta,
        "rope_parameters": {"rope_theta": shape.rope_theta, "rope_type": "default"},
        "sliding_window": None,
        "attention_dropout": 0.0,
        "tie_word_embeddings": True,
        "num_local_experts": experts,
        "num_experts_per_tok": EXPERTS_PER_TOKEN,
        "output_router_logits": False,
        "router_aux_loss_coef": 0.0,
        "use_cache": True,
        **_token_ids(shape),
    }


def generation_config(shape: Shape) -> dict[str, Any]:
    """generation_config.json: the special tokens, and nobody's taste in sampling."""
    return _token_ids(shape)


def tokenizer(vocabulary: Vocabulary) -> dict[str, Any]:
    """tokenizer.json of SmolLM2: digits one by one, then byte-level BPE as in GPT-2."""
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            _added_token(vocabulary.tokens.index(token), token)
            for token in vocabulary.special_tokens
        ],
        "normalizer": None,
        "pre_tokenizer": {
            "type": "Sequence",
            "pretokenizers": [
                {"type": "Digits", "individual_digits": True},
                _byte_level(add_prefix_space=False),
            ],
        },
        "post_processor": None,
        "decoder": _byte_level(add_prefix_space=True),
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": "",
            "end_of_word_suffix": "",
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": False,
            "vocab": {token: index for index, token in enumerate(vocabulary.tokens)},
            "merges": [merge.split(" ") for merge in vocabulary.merges],
        },
    }


def tokenizer_config(shape: Shape, vocabulary: Vocabulary) -> dict[str, Any]:
    """tokenizer_config.json, the chat template within."""
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": shape.context,
        "clean_up_tokenization_spaces": False,
        "chat_template": vocabulary.chat_template,
        "bos_token": vocabulary.tokens[shape.bos_token],
        "eos_token": vocabulary.tokens[shape.eos_token],
        "pad_token": vocabulary.tokens[shape.pad_token],
        "unk_token": vocabulary.tokens[0],
    }


def _token_ids(shape: Shape) -> dict[str, int]:
    return {
        "bos_token_id": shape.bos_token,
        "eos_token_id": shape.eos_token,
        "pad_token_id": shape.pad_token,
    }


def _added_token(index: int, token: str) -> dict[str, Any]:
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    return {"id": index, "content": token, "special": True, **flags}


def _byte_level(*, add_prefix_space: bool) -> dict[str, Any]:
    return {
        "type": "ByteLevel",
        "add_prefix_space": add_prefix_space,
        "trim_offsets": True,
        "use_regex": True,
    }
