"""What a request is told it used adds up to what was used."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from main.engine_world import ask, plan_for

from remoe_functions.checkpoint.checkpoint import Checkpoint
from remoe_functions.history.reader import read_history

PROMPT, TOKENS = (5, 7, 11, 13, 17), 9


def test_every_pair_is_counted_once_in_its_layer(checkpoint_of, open_world):
    w = open_world(checkpoint_of("mixtral"), lambda e: e.index < 3)
    usage = ask(w.service, PROMPT, TOKENS).end().usage
    assert usage.layers.shape == (3, 3)
    assert (usage.layers.sum(axis=1) == 2 * (len(PROMPT) + TOKENS - 1)).all()
    assert usage.prompt_tokens == len(PROMPT)
    assert usage.completion_tokens == TOKENS


def test_shares_of_calls_add_up_to_the_calls_made(checkpoint_of, open_world):
    w = open_world(checkpoint_of("mixtral"), lambda e: e.index < 4, functions=2)
    asked = [ask(w.service, PROMPT * n, TOKENS) for n in (1, 2, 3)]
    usages = [each.end().usage for each in asked]
    for name, calls in w.service.caller.calls.items():
        assert sum(u.functions[name].calls for u in usages) == pytest.approx(calls)
    seconds = w.service.timer.seconds
    assert 0 < sum(u.main_seconds for u in usages) <= sum(seconds.values())


def test_finished_requests_become_history(checkpoint_of, open_world, tmp_path):
    folder = checkpoint_of("mixtral")
    w = open_world(folder, lambda e: e.index < 3, history=tmp_path)
    usage = ask(w.service, PROMPT, TOKENS).end().usage
    ask(w.service, PROMPT[::-1], 1).end()
    w.service.stop()
    architecture = Checkpoint.open(folder).architecture
    history = read_history(tmp_path, architecture)
    assert history.prompt_tokens.tolist() == [len(PROMPT)] * 2
    assert history.decode_tokens.tolist() == [TOKENS - 1, 0]
    assert (history.prefill[0].sum(axis=1) == 2 * len(PROMPT)).all()
    assert (history.decode[0].sum(axis=1) == 2 * (TOKENS - 1)).all()
    assert np.abs(history.vectors[0]).sum() > 0
    remote = history.prefill[0][:, :3].sum() + history.decode[0][:, :3].sum()
    assert remote == usage.layers.sum(axis=0)[1]


def test_history_stays_within_its_bound_and_keeps_the_newest(checkpoint_of, open_world, tmp_path):
    folder, bound, asked = checkpoint_of("mixtral"), 3000, 24
    w = open_world(folder, history=tmp_path, history_bytes=bound)
    for first in range(asked):
        ask(w.service, [first, *PROMPT], 1).end()
    w.service.stop()
    assert sum(file.stat().st_size for file in tmp_path.glob("*.segment")) <= bound
    history = read_history(tmp_path, Checkpoint.open(folder).architecture)
    assert 0 < len(history.prompt_tokens) < asked


def test_request_ended_amid_its_prompt_is_no_history(checkpoint_of, open_world, tmp_path):
    folder = checkpoint_of("mixtral")
    service = open_world(folder, history=tmp_path).service
    engine = service.engine
    engine.settings = replace(engine.settings, prefill_chunk=2)
    handle = service._stepper._model.register_forward_pre_hook(
        lambda *_: engine.end(engine.running[0])
    )
    last = ask(service, PROMPT, TOKENS).end()
    handle.remove()
    assert (last.reason, last.usage.completion_tokens) == ("stop", 0)
    assert last.usage.layers.sum() == 3 * 2 * 2
    ask(service, PROMPT, TOKENS).end()
    service.stop()
    history = read_history(tmp_path, Checkpoint.open(folder).architecture)
    assert history.decode_tokens.tolist() == [TOKENS - 1]


def test_history_that_cannot_be_written_harms_nobody(checkpoint_of, open_world):
    w = open_world(checkpoint_of("mixtral"), history=Path("/proc/none"))
    assert ask(w.service, PROMPT, TOKENS).end().reason == "length"


def test_plan_for_another_model_is_refused(checkpoint_of):
    from remoe_functions.main.placement import check_plan

    mixtral = Checkpoint.open(checkpoint_of("mixtral"))
    other = Checkpoint.open(checkpoint_of("olmoe"))
    with pytest.raises(ValueError, match="the plan is for another model: revision"):
        check_plan(plan_for(mixtral, lambda _: True), other.architecture)
