"""The door for the gateway: contract, refusals, leaving clients. Over a real socket."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time

import httpx
import pytest
import uvicorn
from main.engine_world import TOKEN, answer_of
from starlette.requests import ClientDisconnect

from remoe_functions.main.metrics import MainCollector, registry_of
from remoe_functions.main.probes import Probes
from remoe_functions.main.schema import parse_request
from remoe_functions.main.server import MAX_BODY_BYTES, Answer, AnswerStream, Door, build_app

PROMPT = [5, 7, 11, 13]
BODY = {
    "request_id": "r",
    "prompt": PROMPT,
    "max_tokens": 6,
    "temperature": 0.0,
    "ignore_eos": True,
}
LONG = BODY | {"max_tokens": 3000}
KEY = {"Authorization": f"Bearer {TOKEN}"}


class Served:
    """A loaded service behind HTTP in a thread."""

    def __init__(self, service):
        self.service = service
        collector = MainCollector(
            "tiny", service.engine, service.caller, service.timer, service.totals, {"map": 0.5}
        )
        self.door = Door(
            engine=service.engine, token=TOKEN, info=service.info, registry=registry_of(collector)
        )
        listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        self.draining = False
        probes = Probes(
            engine=lambda: None if self.door is None else self.door.engine,
            is_draining=lambda: self.draining,
            phases=lambda: {"map": 0.5},
        )
        self.server = uvicorn.Server(
            uvicorn.Config(build_app(lambda: self.door, probes), log_level="error", ws="none")
        )
        self.thread = threading.Thread(target=self.server.run, kwargs={"sockets": [listener]})
        self.thread.start()

    def close(self):
        self.server.should_exit = True
        self.thread.join(10)

    def post(self, body, headers=KEY):
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return httpx.post(f"{self.url}/generate", content=content, headers=headers, timeout=20)


@pytest.fixture
def served(checkpoint_of, open_world):
    checkpoint = checkpoint_of("mixtral", max_position_embeddings=4096)
    made = Served(open_world(checkpoint, max_batch=2, max_waiting=0).service)
    yield made
    made.close()


def lines_of(response):
    return [json.loads(line) for line in response.text.splitlines()]


def settled(condition):
    until = time.monotonic() + 10
    while not condition() and time.monotonic() < until:
        time.sleep(0.005)
    return condition()


def test_answer_is_token_lines_and_a_last_one_with_usage(served):
    response = served.post(BODY | {"logprobs": 2})
    assert response.headers["content-type"] == "application/x-ndjson"
    *tokens, last = lines_of(response)
    assert [line["token"] for line in tokens] == answer_of(served.service, PROMPT, 6)
    assert all(line["top"][0] == [line["token"], line["logprob"]] for line in tokens)
    assert last["finish"] == "length"
    assert last["usage"]["completion_tokens"] == 6
    assert last["usage"]["placements"] == {"local": 3 * 2 * 9, "remote": 0, "fallback": 0}
    assert len(last["usage"]["layers"]) == 3


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"{", "body"),
        (b"\xff\xfe", "body"),
        (b"[1]", "body"),
        ({}, "request_id"),
        (BODY | {"prompt": []}, "prompt"),
        (BODY | {"prompt": ["a"]}, "prompt.0"),
        (BODY | {"prompt": [999]}, "tokens must be in 0..127, got 999"),
        (BODY | {"max_tokens": 0}, "max_tokens"),
        (BODY | {"max_tokens": 10**12}, "the context is 4096"),
        (BODY | {"temperature": -1}, "temperature"),
        (BODY | {"top_p": 0}, "top_p"),
        (BODY | {"seed": -1}, "seed"),
        (BODY | {"best_of": 3}, "best_of"),
        (BODY | {"prompt": [1] * (MAX_BODY_BYTES // 2)}, "more than"),
    ],
)
def test_bad_request_is_told_which_field(body, words, served):
    response = served.post(body)
    assert response.status_code == 400
    assert words in response.json()["error"]["message"]


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}])
def test_wrong_token_is_refused(headers, served):
    assert served.post(BODY, headers).status_code == 401
    assert httpx.get(f"{served.url}/info", headers=headers).status_code == 401


def test_ready_only_once_there_is_a_model(served):
    assert httpx.get(f"{served.url}/ready").status_code == 200
    door, served.door = served.door, None
    assert httpx.get(f"{served.url}/ready").status_code == 503
    assert httpx.get(f"{served.url}/health").status_code == 200
    assert served.post(BODY).status_code == 503
    served.door = door


def test_leaving_clients_free_their_slots_at_once(served):
    async def leave():
        async with (
            httpx.AsyncClient(base_url=served.url, headers=KEY) as client,
            client.stream("POST", "/generate", json=LONG) as response,
        ):
            await anext(response.aiter_lines())

    asyncio.run(leave())
    assert settled(lambda: served.service.engine.in_flight == 0)
    assert served.service.totals.finished == {"abort": 1}


def test_reader_gone_before_the_first_line_frees_its_slot(served):
    async def gone(_):
        raise OSError

    async def nothing_more():
        await asyncio.Event().wait()

    async def leave():
        wanted = parse_request(json.dumps(LONG).encode())
        stream = AnswerStream(Answer(served.service.engine, wanted))
        scope = {"type": "http", "asgi": {"spec_version": "2.4"}}
        with pytest.raises(ClientDisconnect):
            await stream(scope, nothing_more, gone)

    asyncio.run(leave())
    assert settled(lambda: served.service.engine.in_flight == 0)
    assert served.service.totals.finished["length"] == 0


def test_ended_request_ends_with_its_usage(served):
    def end(request_id, headers=KEY):
        url = f"{served.url}/generate/{request_id}"
        return httpx.delete(url, headers=headers).status_code

    with httpx.stream("POST", f"{served.url}/generate", headers=KEY, json=LONG) as response:
        lines = response.iter_lines()
        next(lines)
        assert (end("r", {}), end("q"), end("r")) == (401, 404, 204)
        last = json.loads(list(lines)[-1])
    assert last["finish"] == "stop"
    assert last["usage"]["completion_tokens"] < LONG["max_tokens"]
    assert last["usage"]["main_seconds"] > 0
    assert settled(lambda: served.service.engine.in_flight == 0)
    assert settled(lambda: end("r") == 404)


def test_full_engine_answers_429_and_when_to_come_back(served):
    with (
        httpx.stream(
            "POST", f"{served.url}/generate", headers=KEY, json=BODY | {"max_tokens": 250}
        ),
        httpx.stream(
            "POST", f"{served.url}/generate", headers=KEY, json=BODY | {"max_tokens": 250}
        ),
    ):
        response = served.post(BODY)
    assert response.status_code == 429
    assert response.headers["retry-after"] == "1"


def test_metrics_bear_vllms_names(served):
    served.post(BODY)
    text = httpx.get(f"{served.url}/metrics").text
    for line in (
        'vllm:num_requests_running{model_name="tiny"} 0.0',
        'vllm:request_success_total{finished_reason="length",model_name="tiny"} 1.0',
        'vllm:generation_tokens_total{model_name="tiny"} 6.0',
        'remoe_expert_pairs_total{place="local"} 54.0',
        'remoe_startup_seconds{phase="map"} 0.5',
    ):
        assert line in text
    assert 'remoe_step_seconds_total{part="local_experts"}' in text
