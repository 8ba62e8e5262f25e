"""What `helm test` runs, against real servers: it passes only where models answer."""

import json
import subprocess
import sys
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from builders.chart import CHART, one, rendered

SCRIPT = (CHART / "files/ask.py").read_text()
ANSWER = {
    "choices": [{"message": {"role": "assistant", "content": "Because."}}],
    "usage": {"completion_tokens": 2},
}


@contextmanager
def serving(answers):
    """A server with these answers, by path: a status and a body, or a function of the request."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.answer()

        def do_POST(self):
            self.answer()

        def answer(self):
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            said = answers[self.path]
            status, said = said(self.headers, json.loads(body or "{}")) if callable(said) else said
            text = json.dumps(said).encode()
            self.send_response(status)
            self.send_header("content-length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def operator():
    with serving({"/health": (200, {"status": "ok"})}) as address:
        yield address


def ask(operator, gateway, **env):
    """Run the script as the pod does."""
    given = {"OPERATOR": operator, "GATEWAY": gateway, "PROMPT": "Why?", "TIMEOUT_SECONDS": "5"}
    return subprocess.run(
        [sys.executable, "-c", SCRIPT],
        env=given | env,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def models(*names):
    return 200, {"data": [{"id": name} for name in names]}


def test_every_model_that_answers_is_told(operator):
    answers = {"/v1/models": models("one", "two"), "/v1/chat/completions": (200, ANSWER)}
    with serving(answers) as gateway:
        done = ask(operator, gateway)
    assert done.returncode == 0, done.stderr
    assert "one: 2 tokens: 'Because.'" in done.stdout
    assert "two: 2 tokens: 'Because.'" in done.stdout


def test_one_model_that_fails_fails_the_test_after_all_were_asked(operator):
    def answer(_, body):
        return (200, ANSWER) if body["model"] == "two" else (503, {"error": {"message": "asleep"}})

    answers = {"/v1/models": models("one", "two"), "/v1/chat/completions": answer}
    with serving(answers) as gateway:
        done = ask(operator, gateway)
    assert done.returncode == 1
    assert "one: 503" in done.stdout
    assert "asleep" in done.stdout
    assert "two: 2 tokens" in done.stdout


def test_an_answer_without_a_token_is_none(operator):
    empty = ANSWER | {"usage": {"completion_tokens": 0}}
    answers = {"/v1/models": models("one"), "/v1/chat/completions": (200, empty)}
    with serving(answers) as gateway:
        assert ask(operator, gateway).returncode == 1


def test_where_no_gateway_is_the_operator_is_enough(operator):
    done = ask(operator, "http://remoe-gateway.nowhere.invalid")
    assert done.returncode == 0, done.stderr
    assert "no MoEService is in that namespace" in done.stdout


def test_an_operator_that_is_not_well_fails_whatever_models_say():
    answers = {"/health": (500, {"status": "stuck"}), "/v1/models": models()}
    with serving(answers) as address:
        done = ask(address, address)
    assert done.returncode == 1
    assert "500" in done.stdout


def test_a_gateway_that_does_not_answer_fails(operator):
    assert ask(operator, "http://127.0.0.1:1").returncode == 1


def test_a_key_is_shown_where_one_is_given_and_asked_for_where_not(operator):
    def locked(answer):
        def answered(headers, _):
            right = headers.get("authorization") == "Bearer sesame"
            return answer if right else (401, {"error": {"message": "no key"}})

        return answered

    answers = {
        "/v1/models": locked(models("one")),
        "/v1/chat/completions": locked((200, ANSWER)),
    }
    with serving(answers) as gateway:
        assert ask(operator, gateway, API_KEY="sesame").returncode == 0
        without = ask(operator, gateway)
    assert without.returncode == 1
    assert "test.keySecret" in without.stderr


def test_the_pod_asks_where_it_is_told():
    def environment(**values):
        (container,) = one(rendered(**values), "Pod")["spec"]["containers"]
        return {variable["name"]: variable for variable in container["env"]}

    here, there = environment(), environment(test__namespace="team-a", test__keySecret__name="keys")
    assert here["OPERATOR"]["value"] == "http://remoe-operator.system.svc.cluster.local:8080"
    assert here["GATEWAY"]["value"] == "http://remoe-gateway.system.svc.cluster.local"
    assert there["GATEWAY"]["value"] == "http://remoe-gateway.team-a.svc.cluster.local"
    secret = there["API_KEY"]["valueFrom"]["secretKeyRef"]
    assert secret == {"name": "keys", "key": "key"}
    assert "API_KEY" not in here


def test_the_pod_runs_this_very_script():
    (container,) = one(rendered(), "Pod")["spec"]["containers"]
    assert container["command"] == ["python", "-c"]
    assert [text.strip() for text in container["args"]] == [SCRIPT.strip()]
