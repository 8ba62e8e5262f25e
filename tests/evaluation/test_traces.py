"""Recorded routing is read as it was recorded, and what is not recorded says so."""

import numpy as np
import pytest
from builders.recorded_traces import deepseek_folder, gptoss_folder, trace
from builders.routed_texts import SHAPE, counted
from evaluation.traces import history_of, load, resized, routing_of, sides, trace_for

from remoe_planner.architecture import Architecture
from remoe_planner.forecasting.shape import RoutingShape


def architecture(name, layers, experts, top_k):
    return Architecture(
        name=name,
        revision="r",
        layers=tuple(range(layers)),
        experts_per_layer=experts,
        top_k=top_k,
        hidden_size=8,
        expert_bytes=8,
        main_bytes=8,
    )


def test_prompts_are_read_with_their_routing_but_not_those_too_short(tmp_path):
    rows = deepseek_folder(tmp_path, prompts=6, tokens=18)
    made = load(tmp_path, "deepseek-v2-lite")
    assert len(made) == 6
    assert made.texts[2].startswith("prompt 2")
    assert (made.record(2).prompt == rows[2][:12]).all()
    assert made.record(2).head == 1
    assert made.shape == RoutingShape(layers=3, experts=64, top_k=6)


def test_the_end_of_a_recorded_prompt_stands_in_for_its_answer(tmp_path):
    rows = deepseek_folder(tmp_path, tokens=18)
    made = load(tmp_path, "deepseek-v2-lite")
    assert (made.record(2).answer == rows[2][12:]).all()
    assert made.answers_recorded
    assert len(made.tokens[2]) == 12
    assert "stands in for its answer" in made.marked


def test_the_first_tokens_of_a_recorded_answer_stand_in_for_its_prompt(tmp_path):
    rows = gptoss_folder(tmp_path, tokens=60)
    made = load(tmp_path, "gpt-oss-20b")
    assert (made.record(1).prompt == rows[1][:20]).all()
    assert (made.record(1).answer == rows[1][20:]).all()
    assert made.answers_recorded
    assert made.tokens is None
    assert "stands in for its prompt" in made.marked


def test_a_model_that_was_recorded_has_its_own_trace(tmp_path):
    deepseek_folder(tmp_path)
    made = trace_for(tmp_path, architecture("deepseek-v2-lite", 3, 64, 6))
    assert made.resizing is None
    assert made.name == "deepseek-v2-lite"


def test_a_model_that_nobody_recorded_has_anothers_and_says_so(tmp_path):
    deepseek_folder(tmp_path)
    made = trace_for(tmp_path, architecture("mixtral", 5, 8, 2))
    assert made.record(0).prompt.shape == (12, 5, 2)
    assert made.marked.startswith("No trace of mixtral is at hand: deepseek-v2-lite's, resized")


def test_layers_that_were_not_recorded_are_like_those_that_were(tmp_path):
    deepseek_folder(tmp_path)
    made = trace_for(tmp_path, architecture("deepseek-v2-lite", 6, 64, 6))
    assert made.record(0).prompt.shape == (12, 6, 6)
    assert made.marked.startswith("Of deepseek-v2-lite 3 layers were recorded")


def test_a_trace_of_the_size_wanted_stays_as_it_is():
    made = trace(4)
    assert resized(made, SHAPE, name="other") is made


def test_a_resized_trace_is_the_same_world_every_time():
    shape = RoutingShape(layers=4, experts=24, top_k=5)
    one, same = (resized(trace(12), shape, name="other") for _ in range(2))
    assert all((one.record(n).prompt == same.record(n).prompt).all() for n in range(12))


def test_history_holds_what_the_rows_were_routed_to():
    made = trace(10, answer_tokens=9)
    history = history_of(made, [3, 7])
    assert (history.prefill[1] == counted(made.record(7).prompt, SHAPE)).all()
    assert (history.decode[0] == counted(made.record(3).answer, SHAPE)).all()
    assert history.prompt_tokens.tolist() == [24, 24]
    assert history.decode_tokens.tolist() == [9, 9]


def test_answers_never_recorded_are_drawn_from_their_prompts():
    made = trace(10)
    history, again = (history_of(made, [3, 7], answer_tokens=30) for _ in range(2))
    assert history.decode.sum(axis=2).tolist() == [[30 * SHAPE.top_k] * SHAPE.layers] * 2
    assert not history.decode[0][history.prefill[0] == 0].any()
    assert (history.decode == again.decode).all()


def test_routing_that_is_planned_with_knows_nothing_of_the_other_side():
    made = trace(20)
    both = sides(made, 0)
    before = routing_of(made, both.train)
    for row in both.test:
        made.records[row].prompt[:] = made.records[row].prompt[:, :, ::-1] // 2
    after = routing_of(made, both.train)
    assert (before.prefill == after.prefill).all()
    assert (before.samples == after.samples).all()


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="dsv2lite_puffin"):
        load(tmp_path, "deepseek-v2-lite")


def test_counts_of_a_resized_trace_are_those_of_its_picks():
    made = resized(trace(12), RoutingShape(layers=4, experts=8, top_k=2), name="other")
    assert (made.counts(5)[0].sum(axis=1) == 24 * 2).all()
    assert np.array_equal(made.counts(5)[0], counted(made.record(5).prompt, made.shape))
