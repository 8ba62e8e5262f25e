"""Requests join, leave, are refused and fail without disturbing one another."""

from __future__ import annotations

import time

import pytest
from main.engine_world import answer_of, ask

from remoe_functions.main.errors import ContextTooLong, Draining, InvalidRequest, QueueFull
from remoe_functions.main.request import Failed, Finished

PROMPT, LONG = (5, 7, 11, 13), 150


def settled(condition):
    until = time.monotonic() + 10
    while not condition() and time.monotonic() < until:
        time.sleep(0.005)
    return condition()


def test_cancelled_request_frees_its_slot_for_the_next(checkpoint_of, open_world):
    service = open_world(checkpoint_of("mixtral"), max_batch=1).service
    first = ask(service, PROMPT, LONG)
    first.next()
    second = ask(service, PROMPT, 3)
    service.engine.cancel(first.sequence)
    assert isinstance(second.end(), Finished)
    assert settled(lambda: service.engine.in_flight == 0)
    assert first.sequence.finish is None
    assert service.totals.finished == {"abort": 1, "length": 1}


def test_request_cancelled_while_it_waits_never_runs(checkpoint_of, open_world):
    service = open_world(checkpoint_of("mixtral"), max_batch=1).service
    first = ask(service, PROMPT, LONG)
    first.next()
    second = ask(service, PROMPT, 3)
    service.engine.cancel(second.sequence)
    assert isinstance(first.end(), Finished)
    assert second.events.empty()
    assert second.sequence.admitted_at is None


def test_ended_request_gives_its_account_and_its_slot(checkpoint_of, open_world):
    service = open_world(checkpoint_of("mixtral"), max_batch=1).service
    first = ask(service, PROMPT, LONG)
    first.next()
    second = ask(service, PROMPT, 3)
    service.engine.end(first.sequence)
    last = first.end()
    assert (last.reason, last.usage.completion_tokens) == ("stop", len(first.tokens))
    assert len(first.tokens) < LONG
    # The last token given was not computed on: it is the answer's, and in no pass.
    computed = len(PROMPT) + len(first.tokens) - 1
    assert last.usage.layers.sum() == 3 * 2 * computed
    assert isinstance(second.end(), Finished)
    assert settled(lambda: service.engine.in_flight == 0)
    assert service.totals.finished == {"stop": 1, "length": 1}


def test_request_ended_while_it_waits_is_told_so_and_never_runs(checkpoint_of, open_world):
    service = open_world(checkpoint_of("mixtral"), max_batch=1).service
    first = ask(service, PROMPT, LONG)
    first.next()
    second = ask(service, PROMPT, 3)
    service.engine.end(second.sequence)
    last = second.end()
    assert (last.reason, last.usage.completion_tokens, second.tokens) == ("stop", 0, [])
    assert isinstance(first.end(), Finished)
    assert second.sequence.admitted_at is None


@pytest.mark.parametrize("leaver", [0, 1, 2])
def test_one_that_leaves_in_the_middle_disturbs_nobody(leaver, checkpoint_of, open_world):
    service = open_world(checkpoint_of("mixtral"), max_batch=4).service
    prompts = [PROMPT, PROMPT * 3, PROMPT[::-1], PROMPT * 2]
    alone = [answer_of(service, prompt, 20) for prompt in prompts]
    asked = [ask(service, prompt, 20) for prompt in prompts]
    for each in asked:
        each.next()
    service.engine.cancel(asked[leaver].sequence)
    for number, each in enumerate(asked):
        if number != leaver:
            each.end()
            assert each.tokens == alone[number]


def test_full_queue_is_refused(checkpoint_of, open_world):
    service = open_world(checkpoint_of("mixtral"), max_batch=1, max_waiting=1).service
    running = [ask(service, PROMPT, LONG) for _ in range(2)]
    with pytest.raises(QueueFull):
        ask(service, PROMPT, 1)
    for each in running:
        service.engine.cancel(each.sequence)
    assert settled(lambda: service.engine.in_flight == 0)
    assert len(answer_of(service, PROMPT, 2)) == 2


@pytest.mark.parametrize(
    ("fields", "error", "words"),
    [
        ({"prompt": ()}, InvalidRequest, "prompt"),
        ({"prompt": (1, 10**6)}, InvalidRequest, "tokens must be in 0..127"),
        ({"max_tokens": 10**9}, ContextTooLong, "the context is 256"),
        ({"generated": (1, 2, 3), "max_tokens": 3}, InvalidRequest, "max_tokens"),
    ],
)
def test_request_that_cannot_be_served_is_refused_by_field(
    fields, error, words, checkpoint_of, open_world
):
    service = open_world(checkpoint_of("mixtral")).service
    with pytest.raises(error, match=words):
        ask(service, **({"prompt": PROMPT, "max_tokens": 4} | fields))


def test_step_that_fails_ends_its_requests_and_not_the_service(checkpoint_of, open_world):
    service = open_world(checkpoint_of("mixtral")).service
    expected = answer_of(service, PROMPT, 5)
    model = service._stepper._model
    handle = model.register_forward_pre_hook(lambda *_: 1 / 0)
    asked = ask(service, PROMPT, 5)
    last = asked.end()
    handle.remove()
    assert isinstance(last, Failed)
    assert last.code == "internal_error"
    assert answer_of(service, PROMPT, 5) == expected


def test_draining_finishes_what_runs_and_takes_nothing_new(checkpoint_of, open_world):
    service = open_world(checkpoint_of("mixtral")).service
    running = ask(service, PROMPT, 30)
    running.next()
    assert service.engine.drain(timeout_seconds=20)
    with pytest.raises(Draining):
        ask(service, PROMPT, 1)
    assert running.end().reason == "length"
    assert len(running.tokens) == 30


def test_answer_ends_at_the_models_own_end_token_and_at_the_callers(checkpoint_of, open_world):
    service = open_world(checkpoint_of("mixtral")).service
    free = answer_of(service, PROMPT, 30)
    stop = free[10]
    asked = ask(service, PROMPT, 30, stop_token_ids=frozenset({stop}))
    assert asked.end().reason == "stop"
    assert asked.tokens == free[: free.index(stop)]
    service.engine.end_tokens = frozenset({stop})
    asked = ask(service, PROMPT, 30, ignore_eos=False)
    assert asked.end().reason == "stop"
    assert asked.tokens == free[: free.index(stop)]


def test_idle_engine_gives_back_what_long_requests_took(checkpoint_of, open_world):
    service = open_world(checkpoint_of("mixtral", max_position_embeddings=1024)).service
    cache = service._stepper.cache
    before = cache.capacity
    asked = ask(service, PROMPT * 100, LONG)
    asked.next()
    assert cache.capacity > before
    asked.end()
    assert settled(lambda: cache.capacity == before)
