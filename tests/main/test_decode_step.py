"""The native decode step says what transformers' forward pass says, or is not taken."""

from __future__ import annotations

import gc

import numpy as np
import pytest
import torch
from builders.tiny_checkpoints import VOCAB
from main.engine_world import answer_of, ask, world

from remoe_functions.kernel.machine import native_available
from remoe_functions.main.anatomy import UnknownAnatomyError, anatomy_of
from remoe_functions.main.decode_step import decode_step_for
from remoe_functions.main.timing import Part

pytestmark = pytest.mark.skipif(not native_available().available, reason="no native kernel here")
PROMPTS = [[(5 * i * i + 7 * i + row) % VOCAB for i in range(9 + 6 * row)] for row in range(5)]
SLIDING = {"use_sliding_window": True, "sliding_window": 6}
KNOWN = {
    "mixtral": ("mixtral", {}),
    "mixtral with a window": ("mixtral", {"sliding_window": 6}),
    "mixtral, one key head": ("mixtral", {"num_key_value_heads": 1}),
    "qwen2, shared experts and biases": ("qwen2_moe", {}),
    "qwen2, some layers with windows": ("qwen2_moe", SLIDING | {"max_window_layers": 1}),
    "qwen3, norms of each head": ("qwen3_moe", {}),
    "qwen3, biases, shares as they are": (
        "qwen3_moe",
        {"attention_bias": True, "norm_topk_prob": False},
    ),
    "qwen3 with a window": ("qwen3_moe", SLIDING),
    "qwen3, dense layers": ("qwen3_moe", {"mlp_only_layers": [0, 2]}),
    "olmoe, norms of all heads": ("olmoe", {"num_key_value_heads": 4}),
    "olmoe, clipped": ("olmoe", {"num_key_value_heads": 4, "clip_qkv": 0.5}),
    "stretched rotation": (
        "mixtral",
        {"rope_parameters": {"rope_type": "yarn", "rope_theta": 1e4, "factor": 4.0}},
    ),
    "tied embeddings": ("mixtral", {"tie_word_embeddings": True}),
}
UNKNOWN = ("deepseek_v3", "gpt_oss", "granitemoe", "phimoe", "glm4_moe")


def filled(service, prompts):
    """The service's stepper, each prompt in a slot of its own."""
    stepper = service._stepper
    stepper.cache.reserve(64, len(prompts))
    for slot, prompt in enumerate(prompts):
        stepper.prefill(prompt, slot=slot, start=0)
    service._dispatcher.take_trace()
    return stepper


def decoded(service, prompts, steps=3):
    """Logits of some steps [steps, rows, vocabulary], and what was routed in the last."""
    stepper = filled(service, prompts)
    found = []
    for step in range(steps):
        tokens = [(11 * row + step) % VOCAB for row in range(len(prompts))]
        service._dispatcher.take_trace()
        found.append(stepper.decode(tokens, [len(prompt) + step for prompt in prompts]).copy())
    return np.stack(found), service._dispatcher.take_trace()


def both(service, prompts):
    """What the native step says, and what transformers' pass says."""
    native = decoded(service, prompts)
    step, service._stepper._decode_step = service._stepper._decode_step, None
    plain = decoded(service, prompts)
    service._stepper._decode_step = step
    return native, plain


@pytest.mark.parametrize("case", KNOWN)
def test_logits_and_routing_are_those_of_the_forward_pass(case, checkpoint_of):
    architecture, fields = KNOWN[case]
    with world(checkpoint_of(architecture, **fields)) as w:
        assert w.service._stepper._decode_step is not None
        (native, trace), (plain, wanted) = both(w.service, PROMPTS)
    np.testing.assert_allclose(native, plain, atol=2e-4 * np.abs(plain).max())
    layers = len(w.service._placement.homes)
    for ours, theirs in zip(trace.table(layers), wanted.table(layers), strict=True):
        assert np.array_equal(np.sort(ours), np.sort(theirs))


@pytest.mark.parametrize("case", ["mixtral", "qwen2, shared experts and biases"])
def test_some_layers_remote_say_the_same(case, checkpoint_of):
    architecture, fields = KNOWN[case]
    last = 2
    with world(
        checkpoint_of(architecture, **fields), lambda e: e.layer == last and e.index % 2
    ) as w:
        (native, trace), (plain, wanted) = both(w.service, PROMPTS)
    np.testing.assert_allclose(native, plain, atol=2e-4 * np.abs(plain).max())
    assert len(trace.calls) == len(wanted.calls) == 1


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("architecture", ["mixtral", "qwen3_moe"])
def test_a_row_gets_the_same_bits_in_any_company(architecture, dtype, checkpoint_of):
    with world(checkpoint_of(architecture, dtype=dtype)) as w:
        together, _ = decoded(w.service, PROMPTS)
        stepper = w.service._stepper
        for row, prompt in enumerate(PROMPTS):
            filled(w.service, [prompt])
            tokens = [(11 * row + step) % VOCAB for step in range(3)]
            for step, token in enumerate(tokens):
                alone = stepper.decode([token], [len(prompt) + step])
                assert np.array_equal(alone[0], together[step, row])


def test_in_bfloat16_it_is_no_farther_from_float32_than_the_forward_pass(checkpoint_of):
    with world(checkpoint_of("mixtral", dtype="bfloat16")) as w:
        (native, _), (plain, _) = both(w.service, PROMPTS)
    with world(checkpoint_of("mixtral", dtype="bfloat16"), dtype="float32") as w:
        exact, _ = decoded(w.service, PROMPTS)
    assert distance(native, exact) <= 1.1 * distance(plain, exact)


def distance(got, exact):
    """The median, since a rounding may send a token to another expert in one of two."""
    return np.median(np.abs(got - exact))


@pytest.mark.parametrize("architecture", UNKNOWN)
def test_a_model_that_is_not_known_goes_through_transformers(architecture, checkpoint_of):
    with world(checkpoint_of(architecture)) as w:
        assert w.service._stepper._decode_step is None
        assert len(answer_of(w.service, PROMPTS[0], 3)) == 3


def test_a_rotation_that_depends_on_the_longest_row_goes_through_transformers(checkpoint_of):
    dynamic = {"rope_type": "dynamic", "rope_theta": 1e4, "factor": 2.0}
    with world(checkpoint_of("mixtral", rope_parameters=dynamic)) as w:
        with pytest.raises(UnknownAnatomyError, match="dynamic"):
            anatomy_of(w.service._stepper._model)
        assert w.service._stepper._decode_step is None


def test_a_head_that_is_turned_in_part_goes_through_transformers(checkpoint_of):
    with world(checkpoint_of("mixtral")) as w:
        model = w.service._stepper._model
        model.model.rotary_emb.inv_freq = model.model.rotary_emb.inv_freq[:3]
        with pytest.raises(UnknownAnatomyError, match="6 of 12 columns"):
            anatomy_of(model)
        assert decode_step_for(model) is None


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda model: model.model.norm.half(), "one type on the CPU"),
        (lambda model: model.half(), "float16"),
        (lambda model: model.train(), "trained"),
        (lambda model: setattr(model.lm_head.weight, "data", sparse(model)), "dense"),
    ],
)
def test_weights_that_native_code_cannot_read_are_a_reason(spoil, reason, checkpoint_of):
    with world(checkpoint_of("mixtral")) as w:
        model = w.service._stepper._model
        spoil(model)
        with pytest.raises(UnknownAnatomyError, match=reason):
            anatomy_of(model)


def sparse(model):
    """The head's numbers, every second column of a wider matrix."""
    weight = model.lm_head.weight
    return torch.zeros(weight.shape[0], 2 * weight.shape[1])[:, ::2]


def test_a_subclass_of_a_known_model_is_not_known(checkpoint_of):
    with world(checkpoint_of("mixtral")) as w:
        model = w.service._stepper._model
        model.__class__ = type("Own", (type(model),), {})
        with pytest.raises(UnknownAnatomyError, match="Own"):
            anatomy_of(model)


def test_a_cache_that_grows_moves_and_shrinks_is_followed(checkpoint_of):
    with world(checkpoint_of("mixtral")) as w:
        engine, cache = w.service.engine, w.service._stepper.cache
        wanted = [answer_of(w.service, prompt, 40) for prompt in PROMPTS[:3]]
        small = cache.nbytes
        asked = [ask(w.service, prompt, 40) for prompt in PROMPTS[:3]]
        for each in asked:
            each.end()
        assert [each.tokens for each in asked] == wanted
        answer_of(w.service, [3] * 150, 100)
        assert answer_of(w.service, PROMPTS[1], 40) == wanted[1]
        assert (engine.in_flight, cache.nbytes >= small) == (0, True)


def test_what_native_code_points_to_outlives_a_collection(checkpoint_of):
    with world(checkpoint_of("qwen3_moe", dtype="bfloat16")) as w:
        before, _ = decoded(w.service, PROMPTS)
        gc.collect()
        filler = [torch.full((48,), float("nan")) for _ in range(3000)]
        after, _ = decoded(w.service, PROMPTS)
        assert np.array_equal(before, after)
        assert len(filler) == 3000


def test_time_spent_on_experts_is_told_from_the_rest(checkpoint_of):
    with world(checkpoint_of("mixtral")) as w:
        stepper, timer = filled(w.service, PROMPTS), w.service.timer
        before = timer.seconds[Part.LOCAL_EXPERTS]
        stepper.decode([1] * len(PROMPTS), [len(prompt) for prompt in PROMPTS])
        assert timer.seconds[Part.LOCAL_EXPERTS] > before
