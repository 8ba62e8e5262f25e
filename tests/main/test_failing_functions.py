"""Slow, dead, refusing, talking nonsense: the answer stays the same and the metrics say why."""

from __future__ import annotations

import socket
import threading
import time

import pytest
from main.engine_world import answer_of, ask

from remoe_functions.main.breaker import Breaker
from remoe_functions.main.calls import GivenUp
from remoe_functions.main.directory import Endpoint, StaticDirectory
from remoe_functions.main.settings import CallSettings
from remoe_functions.wire.errors import CallRefused
from remoe_functions.wire.message import RefusalCode

PROMPT, TOKENS = (5, 7, 11, 13), 6


def everything(_):
    return True


@pytest.fixture
def expected(checkpoint_of, open_world):
    return answer_of(open_world(checkpoint_of("mixtral")).service, PROMPT, TOKENS)


def impatient(**fields):
    settings = {"call_seconds": 0.15, "pair_seconds": 0.0, "first_rest_seconds": 30.0}
    return CallSettings(**(settings | fields))


def test_timed_out_call_is_retried_on_another_replica(checkpoint_of, open_world, expected):
    slow_once = threading.Event()

    def answer(service, call):
        if not slow_once.is_set():
            slow_once.set()
            time.sleep(0.4)
        return service.answer(call)

    w = open_world(
        checkpoint_of("mixtral"), everything, replicas=2, answer=answer, calls=impatient()
    )
    asked = ask(w.service, PROMPT, TOKENS)
    usage = asked.end().usage
    assert asked.tokens == expected
    assert w.service.caller.retries == {"f0": 1}
    assert usage.layers.sum(axis=0)[2] == 0


def test_slow_function_costs_one_timeout_not_one_a_layer(checkpoint_of, open_world, expected):
    def answer(service, call):
        time.sleep(0.4)
        return service.answer(call)

    w = open_world(checkpoint_of("mixtral"), everything, answer=answer, calls=impatient())
    assert answer_of(w.service, PROMPT, TOKENS) == expected
    given_up = w.service.caller.given_up
    assert given_up["f0", GivenUp.TIMEOUT] == 1
    assert given_up["f0", GivenUp.RESTING] > 1


@pytest.mark.parametrize("code", [RefusalCode.BUSY, RefusalCode.INTERNAL, RefusalCode.DRAINING])
def test_refused_call_is_computed_here(code, checkpoint_of, open_world, expected):
    def answer(service, call):
        raise CallRefused(code, "not now")

    w = open_world(checkpoint_of("mixtral"), everything, answer=answer)
    assert answer_of(w.service, PROMPT, TOKENS) == expected
    assert w.service.caller.given_up["f0", GivenUp.REFUSED] >= 1


@pytest.mark.parametrize(
    "greeting", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n" * 4, b"RMOE\x09\x00"]
)
def test_endpoint_that_speaks_otherwise_is_computed_here(
    greeting, checkpoint_of, open_world, expected
):
    def talk(listener):
        while True:
            try:
                peer, _ = listener.accept()
            except OSError:
                return
            with peer:
                peer.sendall(greeting)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=talk, args=(listener,), daemon=True).start()
        endpoint = Endpoint("127.0.0.1", listener.getsockname()[1])
        w = open_world(
            checkpoint_of("mixtral"), everything, directory=StaticDirectory({"f0": (endpoint,)})
        )
        assert answer_of(w.service, PROMPT, TOKENS) == expected
        listener.shutdown(socket.SHUT_RDWR)
    assert w.service.caller.calls["f0"] == 0
    assert sum(w.service.caller.given_up.values()) > 0


class Sleeping:
    """A directory of functions that sleep; remembers who was wished awake."""

    def __init__(self):
        self.wished = []

    def replicas(self, function):
        return ()

    def wake(self, function):
        self.wished.append(function)


def test_sleeping_function_is_computed_here_at_once_and_wished_awake(
    checkpoint_of, open_world, expected
):
    directory = Sleeping()
    w = open_world(checkpoint_of("mixtral"), everything, directory=directory)
    assert directory.wished == []  # warming up wakes nobody
    asked = ask(w.service, PROMPT, TOKENS)
    usage = asked.end().usage
    assert asked.tokens == expected
    assert set(directory.wished) == {"f0"}
    local, remote, fallback = usage.layers.sum(axis=0)
    assert (local, remote) == (0, 0)
    assert fallback == 3 * 2 * (len(PROMPT) + TOKENS - 1)
    assert w.service.caller.given_up["f0", GivenUp.ASLEEP] == 3 * TOKENS


def test_replica_that_comes_back_is_used_again(checkpoint_of, open_world, expected):
    from remoe_functions.main.service import Service

    w = open_world(checkpoint_of("mixtral"), everything)
    service: Service = w.service
    endpoint = service.caller.replicas("f0")[0]
    service.caller._breaker.failed(endpoint, time.monotonic())
    assert service.caller.replicas("f0") == ()
    time.sleep(0.06)
    assert answer_of(service, PROMPT, TOKENS) == expected
    assert service.caller.calls["f0"] > 0


def test_rests_double_up_to_their_bound_and_end_with_a_success():
    breaker = Breaker(first_rest_seconds=1.0, max_rest_seconds=3.0)
    endpoint = Endpoint("a", 1)
    for now, rest in ((0.0, 1.0), (10.0, 2.0), (20.0, 3.0), (30.0, 3.0)):
        breaker.failed(endpoint, now)
        assert not breaker.allows(endpoint, now + rest - 0.01)
        assert breaker.allows(endpoint, now + rest)
    breaker.succeeded(endpoint)
    breaker.failed(endpoint, 40.0)
    assert breaker.allows(endpoint, 41.0)
