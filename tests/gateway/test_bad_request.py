"""Requests that cannot be served are refused before anything is woken, in OpenAI's words."""

import asyncio
import json

import httpx
import openai
import pytest

from remoe_functions.gateway.chat_template import ChatTemplate
from remoe_functions.gateway.errors import InvalidRequest

CHAT = {"model": "tiny", "messages": [{"role": "user", "content": "hello"}]}
TEXT = {"model": "tiny", "prompt": "hi"}


async def refused(world, path, body, **options):
    """The answer to a bad request at a gateway whose model sleeps and stays asleep."""
    async with world(asleep=True) as w:
        response = await w.post(path, body, **options)
        assert w.runtime.wakes == []
        assert w.main.jobs == []
    return response.status_code, response.json()["error"]


BAD_CHATS = {
    "unknown parameter": ({"temprature": 1}, "temprature", "unknown_parameter"),
    "tools": ({"tools": [{"type": "function"}]}, "tools", "unsupported_parameter"),
    "response format": (
        {"response_format": {"type": "json_object"}},
        "response_format",
        "unsupported_parameter",
    ),
    "wrong type": ({"temperature": "hot"}, "temperature", "invalid_value"),
    "number as text": ({"max_tokens": "5"}, "max_tokens", "invalid_value"),
    "truth as number": ({"n": True}, "n", "invalid_value"),
    "temperature": ({"temperature": 2.5}, "temperature", "invalid_value"),
    "top p of zero": ({"top_p": 0}, "top_p", "invalid_value"),
    "penalty": ({"presence_penalty": -3}, "presence_penalty", "invalid_value"),
    "no messages": ({"messages": []}, "messages", "invalid_value"),
    "empty messages": (
        {"messages": [{"role": "user", "content": ""}]},
        "messages",
        "invalid_value",
    ),
    "messages of another type": ({"messages": "hello"}, "messages", "invalid_value"),
    "role": ({"messages": [{"role": "x", "content": "a"}]}, "messages[0].role", "invalid_value"),
    "no content": (
        {"messages": [{"role": "user"}]},
        "messages[0].content",
        "missing_required_parameter",
    ),
    "too many stops": ({"stop": ["a", "b", "c", "d", "e"]}, "stop", "invalid_value"),
    "empty stop": ({"stop": [""]}, "stop[0]", "invalid_value"),
    "too many choices": ({"n": 1000}, "n", "invalid_value"),
    "too many logprobs": (
        {"logprobs": True, "top_logprobs": 21},
        "top_logprobs",
        "invalid_value",
    ),
    "logprobs not asked for": ({"top_logprobs": 2}, "top_logprobs", None),
    "options without stream": ({"stream_options": {}}, "stream_options", None),
    "absurd max_tokens": ({"max_tokens": 10**9}, "max_tokens", "context_length_exceeded"),
    "negative max_tokens": ({"max_tokens": -1}, "max_tokens", "invalid_value"),
    "context too long": (
        {"messages": [{"role": "user", "content": "z" * 1000}]},
        "messages",
        "context_length_exceeded",
    ),
    "image": (
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}]},
        "messages[0].content[0].type",
        "invalid_value",
    ),
}


@pytest.mark.parametrize("case", BAD_CHATS)
async def test_bad_chat_is_refused_by_name(world, case):
    change, param, code = BAD_CHATS[case]
    status, error = await refused(world, "/v1/chat/completions", CHAT | change)
    assert status == 400
    assert error["type"] == "invalid_request_error"
    assert error["code"] == code
    assert error["param"].startswith(param)
    assert error["message"]


BAD_TEXTS = {
    "no prompt": ({"prompt": None}, "prompt", "missing_required_parameter"),
    "empty prompt": ({"prompt": ""}, "prompt", "invalid_value"),
    "no prompts": ({"prompt": []}, "prompt", "invalid_value"),
    "an empty one": ({"prompt": ["a", ""]}, "prompt", "invalid_value"),
    "mixed": ({"prompt": ["a", 1]}, "prompt", "invalid_value"),
    "an object": ({"prompt": {"a": 1}}, "prompt", "invalid_value"),
    "token out of vocabulary": ({"prompt": [320]}, "prompt", "invalid_value"),
    "negative token": ({"prompt": [-1]}, "prompt", "invalid_value"),
    "echo": ({"echo": True}, "echo", "unsupported_parameter"),
    "suffix": ({"suffix": "x"}, "suffix", "unsupported_parameter"),
    "too many choices": ({"prompt": ["a"] * 17}, "n", "invalid_value"),
    "context too long": ({"prompt": [5] * 256}, "prompt", "context_length_exceeded"),
}


@pytest.mark.parametrize("case", BAD_TEXTS)
async def test_bad_completion_is_refused_by_name(world, case):
    change, param, code = BAD_TEXTS[case]
    status, error = await refused(world, "/v1/completions", TEXT | change)
    assert (status, error["param"], error["code"]) == (400, param, code)


BAD_BODIES = {
    "malformed": b'{"model": "tiny",',
    "not an object": b"[1, 2]",
    "empty": b"",
    "invalid UTF-8": b'{"model": "\xff\xfe"}',
    "half a surrogate": b'{"model": "\\ud800"}',
    "not a number": b'{"temperature": NaN}',
    "deeply nested": b"[" * 100_000,
}


@pytest.mark.parametrize("case", BAD_BODIES)
async def test_body_that_is_no_json_object_is_refused(world, case):
    async with world(asleep=True) as w, httpx.AsyncClient() as http:
        response = await http.post(f"{w.url}/v1/chat/completions", content=BAD_BODIES[case])
    assert response.status_code == 400
    assert response.json()["error"]["code"] == "invalid_json"


async def test_infinite_temperature_is_refused(world):
    async with world(asleep=True) as w, httpx.AsyncClient() as http:
        body = json.dumps(CHAT)[:-1] + ', "temperature": 1e999}'
        response = await http.post(f"{w.url}/v1/chat/completions", content=body)
    assert response.json()["error"]["param"] == "temperature"


async def test_unknown_model_is_not_found(world):
    status, error = await refused(world, "/v1/chat/completions", CHAT | {"model": "gpt-9"})
    assert (status, error["code"], error["param"]) == (404, "model_not_found", "model")
    assert "tiny" in error["message"]


async def test_official_client_raises_its_own_errors(world):
    async with world() as w, w.openai() as client:
        with pytest.raises(openai.NotFoundError, match="does not exist"):
            await client.chat.completions.create(model="x", messages=CHAT["messages"])
        with pytest.raises(openai.BadRequestError) as caught:
            await client.chat.completions.create(
                model="tiny", messages=CHAT["messages"], temperature=9
            )
    assert caught.value.param == "temperature"


async def test_ten_megabytes_are_refused_and_the_connection_goes_on(world):
    async with world(asleep=True) as w, httpx.AsyncClient() as http:
        big = b'{"model": "' + b"x" * 10_000_000
        response = await http.post(f"{w.url}/v1/chat/completions", content=big)
        assert response.status_code == 413
        assert response.json()["error"]["code"] == "body_too_large"
        assert (await http.get(f"{w.url}/health")).status_code == 200


async def test_endless_body_of_unknown_length_is_refused_while_it_is_read(world):
    async with world(limits={"max_body_bytes": 5000}) as w:
        reader, writer = await asyncio.open_connection("127.0.0.1", w.port)
        writer.write(b"POST /tokenize HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n")
        for _ in range(6):
            writer.write(b"3e8\r\n" + b"x" * 1000 + b"\r\n")
        head = await asyncio.wait_for(reader.readuntil(b"\r\n"), 5)
        writer.close()
    assert b"413" in head


async def test_harmless_and_null_parameters_are_accepted(world):
    harmless = {"user": "u", "metadata": {"a": "b"}, "store": True, "service_tier": "auto"}
    neutral = {"tools": [], "response_format": {"type": "text"}, "logit_bias": {}, "stop": None}
    async with world() as w:
        response = await w.chat(**harmless, **neutral, temperature=None, tool_choice="none")
    assert response.status_code == 200


async def test_wrong_paths_and_methods_have_the_envelope(world):
    async with world() as w:
        missing, wrong = await w.get("/v2/chat"), await w.get("/v1/completions")
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "not_found")
    assert (wrong.status_code, wrong.json()["error"]["code"]) == (405, "method_not_allowed")
    assert "x-request-id" in missing.headers


def test_words_of_the_template_are_kept():
    template = ChatTemplate("{{ raise_exception('roles must alternate') }}", {})
    with pytest.raises(InvalidRequest, match="roles must alternate"):
        template.render([{"role": "user", "content": "x"}])
