"""`remoe chat` and `remoe bench` against a small endpoint on a real socket."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

ACCOUNT = {
    "cost": 0.000123456,
    "currency": "EUR",
    "main_gib_seconds": 1.5,
    "function_gib_seconds": 0.25,
    "complete": True,
    "functions_woken": ["experts-2"],
    "functions_forecast": ["experts-1", "experts-2"],
    "functions": {"experts-2": {"calls": 3, "rows": 9, "busy_seconds": 0.1}},
    "placements": {"local": 60, "remote": 30, "fallback": 10},
    "layers": [[30, 15, 5], [30, 15, 5]],
    "ttft_seconds": 0.1,
}


class Endpoint:
    """An OpenAI endpoint that always answers the same.

    Attributes:
        account: what usage says under `remoe`; None leaves it out.
        refusal: (status, message) in place of an answer.
        asked: the bodies that came.
    """

    def __init__(self):
        self.account = ACCOUNT
        self.refusal = None
        self.asked = []
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/v1"

    def chunks(self):
        for piece in ("It is ", "blue."):
            yield {"choices": [{"index": 0, "delta": {"content": piece}, "finish_reason": None}]}
        usage = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}
        extra = {} if self.account is None else {"remoe": self.account}
        yield {"choices": [], "usage": usage | extra}


def _handler(endpoint):
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *args):
            pass

        def do_GET(self):
            self.reply({"object": "list", "data": [{"id": "tiny", "object": "model"}]})

        def do_POST(self):
            endpoint.asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            if endpoint.refusal:
                status, message = endpoint.refusal
                self.reply({"error": {"message": message, "type": "x", "code": None}}, status)
                return
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.end_headers()
            for chunk in endpoint.chunks():
                head = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "tiny"}
                self.wfile.write(b"data: " + json.dumps(head | chunk).encode() + b"\n\n")
            self.wfile.write(b"data: [DONE]\n\n")

        def reply(self, body, status=200):
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    return Handler


@pytest.fixture
def endpoint():
    served = Endpoint()
    yield served
    served.server.shutdown()
    served.server.server_close()


def test_answer_is_shown_with_where_experts_ran_and_what_it_cost(remoe, endpoint):
    shown = remoe("chat", "Why is the sky blue?", "--url", endpoint.url)
    assert shown.exit_code == 0, shown.output
    assert shown.stdout.startswith("It is blue.\n")
    assert "experts: 60% local, 30% remote, 10% fallback" in shown.stdout
    assert "woke experts-2" in shown.stdout
    assert "1.75 GiB·s · 0.000123 EUR" in shown.stdout
    assert "2 tokens · first after" in shown.stdout


def test_endpoint_that_tells_nothing_of_experts_can_be_talked_to(remoe, endpoint):
    endpoint.account = None
    shown = remoe("chat", "Hello", "--url", endpoint.url)
    assert shown.exit_code == 0
    assert "experts" not in shown.stdout


def test_account_of_another_form_is_left_out(remoe, endpoint):
    endpoint.account = {"cost": "much"}
    assert remoe("chat", "Hello", "--url", endpoint.url).exit_code == 0


def test_answer_as_json_has_text_times_and_receipt(remoe, endpoint):
    body = json.loads(remoe("chat", "Hello", "--json", "--url", endpoint.url).stdout)
    assert body["text"] == "It is blue."
    assert (body["model"], body["completion_tokens"]) == ("tiny", 2)
    assert body["receipt"]["layers"] == [[30, 15, 5], [30, 15, 5]]
    assert body["ttft_seconds"] <= body["elapsed_seconds"]


def test_conversation_remembers_what_was_said(remoe, endpoint):
    shown = remoe("chat", "--url", endpoint.url, input="Hello\n\nWhy?\n")
    assert shown.exit_code == 0
    roles = [[message["role"] for message in body["messages"]] for body in endpoint.asked]
    assert roles == [["user"], ["user", "assistant", "user"]]


def test_refused_turn_leaves_the_conversation_going(remoe, endpoint):
    endpoint.refusal = (400, "too long")
    shown = remoe("chat", "--url", endpoint.url, input="Hello\nAgain\n")
    assert shown.exit_code == 0
    assert shown.stderr.count("answered 400: too long") == 2
    assert [len(body["messages"]) for body in endpoint.asked] == [1, 1]


def test_wrong_key_is_one_line_in_the_services_words(remoe, endpoint):
    endpoint.refusal = (401, "the API key is not valid")
    shown = remoe("chat", "Hello", "--url", endpoint.url, "--key", "secret")
    assert shown.exit_code == 1
    assert shown.stderr == f"remoe: {endpoint.url} answered 401: the API key is not valid\n"


def test_bench_counts_every_request_and_asks_for_full_answers(remoe, endpoint):
    load = ("--requests", 6, "--concurrency", 3, "--warmup", 2, "--max-tokens", 7)
    report = json.loads(remoe("bench", *load, "--json", "--url", endpoint.url).stdout)
    assert (report["requests"], report["failed"], report["completion_tokens"]) == (6, 0, 12)
    assert report["ttft_seconds"]["p50"] <= report["ttft_seconds"]["p99"]
    assert report["placement"]["remote"] == 0.3
    assert len(endpoint.asked) == 8
    assert {(body["max_tokens"], body["ignore_eos"]) for body in endpoint.asked} == {(7, True)}


def test_bench_for_people_is_a_table(remoe, endpoint):
    shown = remoe("bench", "--requests", 2, "--url", endpoint.url)
    assert "to the first token" in shown.stdout
    assert "60% local, 30% remote, 10% fallback" in shown.stdout


def test_bench_in_which_everything_fails_says_why(remoe, endpoint):
    endpoint.refusal = (503, "still asleep")
    shown = remoe("bench", "--requests", 2, "--url", endpoint.url)
    assert shown.exit_code == 1
    assert "all 2 requests failed; the first:" in shown.stderr
    assert "still asleep" in shown.stderr
