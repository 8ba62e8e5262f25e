"""Main tells where a prompt's tokens went, to whoever asks, and it is what really happened."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from main.engine_world import ask

from remoe_functions.checkpoint.checkpoint import Checkpoint
from remoe_functions.gateway.reported_routing import PrefillReport, counts_in
from remoe_functions.history.reader import read_history
from remoe_functions.main import sequence
from remoe_functions.main.request import Finished, Prefilled, Token
from remoe_functions.main.schema import _body_of
from remoe_planner.forecasting.shape import RoutingShape

PROMPT, TOKENS = (5, 7, 11, 13, 17, 19, 23), 6


def reported(service, prompt=PROMPT, **fields):
    asked = ask(service, prompt, TOKENS, report_routing=True, **fields)
    usage = asked.end().usage
    (told,) = [line for line in asked.lines if isinstance(line, Prefilled)]
    return asked, told, usage


def counted(experts, layers, width):
    return np.stack([np.bincount(experts[:, k].ravel(), minlength=width) for k in range(layers)])


def test_reported_experts_add_up_to_the_counts_recorded(checkpoint_of, open_world, tmp_path):
    folder = checkpoint_of("mixtral")
    service = open_world(folder, lambda e: e.index < 3, history=tmp_path).service
    _, told, usage = reported(service)
    service.stop()
    history = read_history(tmp_path, Checkpoint.open(folder).architecture)
    layers, width = history.shape
    assert told.experts.shape == (len(PROMPT), layers, 2)
    assert np.array_equal(counted(told.experts, layers, width), history.prefill[0])
    assert np.array_equal(told.counts, history.prefill[0])
    assert np.array_equal(usage.decode, history.decode[0])


def test_it_comes_after_the_first_token_and_only_when_asked(checkpoint_of, open_world):
    service = open_world(checkpoint_of("mixtral")).service
    asked, _, _ = reported(service)
    assert [type(line) for line in asked.lines[:3]] == [Token, Prefilled, Token]
    silent = ask(service, PROMPT, TOKENS)
    assert silent.end().usage.decode is None
    assert not any(isinstance(line, Prefilled) for line in silent.lines)


@pytest.mark.parametrize("chunk", [1, 3])
def test_prompt_computed_in_pieces_is_told_whole(checkpoint_of, open_world, chunk):
    service = open_world(checkpoint_of("mixtral")).service
    _, whole, _ = reported(service)
    service.engine.settings = replace(service.engine.settings, prefill_chunk=chunk)
    _, pieces, _ = reported(service)
    assert np.array_equal(whole.experts, pieces.experts)


def test_of_a_long_prompt_the_last_tokens_are_told_and_all_are_counted(
    checkpoint_of, open_world, monkeypatch
):
    service = open_world(checkpoint_of("mixtral")).service
    _, whole, _ = reported(service)
    monkeypatch.setattr(sequence, "REPORTED_TOKENS", 3)
    _, cut, _ = reported(service)
    assert np.array_equal(cut.experts, whole.experts[-3:])
    assert np.array_equal(cut.counts, whole.counts)


def test_gateway_reads_the_line_that_main_writes(checkpoint_of, open_world):
    folder = checkpoint_of("mixtral")
    _, told, usage = reported(open_world(folder).service)
    layers, width = Checkpoint.open(folder).architecture.shape
    shape = RoutingShape(layers=layers, experts=width, top_k=2)
    read = PrefillReport.read(_body_of(told)["prefill"], shape)
    assert np.array_equal(read.experts, told.experts)
    assert np.array_equal(read.counts, told.counts)
    line = _body_of(Finished(reason="stop", usage=usage))
    assert np.array_equal(counts_in(line["usage"]["decode"], shape), usage.decode)


def test_same_prompt_twice_is_recorded_once_and_counted_twice(checkpoint_of, open_world, tmp_path):
    folder = checkpoint_of("mixtral")
    service = open_world(folder, history=tmp_path).service
    for prompt in (PROMPT, PROMPT[:3], PROMPT):
        ask(service, prompt, TOKENS).end()
    service.stop()
    history = read_history(tmp_path, Checkpoint.open(folder).architecture)
    assert sorted(history.times.tolist()) == [1, 2]
    assert history.requests == 3
