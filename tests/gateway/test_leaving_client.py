"""Clients that leave, do not read, or send nothing."""

import asyncio
import json
import socket

import pytest

from remoe_functions.gateway.connection import MAX_HEAD_BYTES

LONG = "hello world, how are you today? " * 20


def request(path, body):
    data = json.dumps(body).encode()
    head = f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {len(data)}\r\n\r\n"
    return head.encode() + data


CHAT = {"model": "tiny", "messages": [{"role": "user", "content": "hello"}]}


@pytest.mark.parametrize("stream", [False, True])
async def test_client_that_leaves_ends_the_job_in_main_at_once(world, stream):
    async with world() as w:
        w.answers(LONG, token_pause=0.05)
        _, writer = await asyncio.open_connection("127.0.0.1", w.port)
        writer.write(request("/v1/chat/completions", CHAT | {"stream": stream}))
        await w.until(lambda: w.main.open_streams == 1)
        writer.close()
        await w.until(lambda: w.main.open_streams == 0, seconds=5)
        assert len(w.main.jobs) == 1
        assert w.gateway.services.house.admission.running == 0
        labels = {"key": "anonymous", "outcome": "cancelled"}
        assert await w.metric("remoe:requests_total", **labels) == 1


async def test_official_client_that_breaks_off_a_stream_ends_the_job(world):
    async with world() as w, w.openai() as client:
        w.answers(LONG, token_pause=0.02)
        stream = await client.chat.completions.create(
            model="tiny", messages=CHAT["messages"], stream=True
        )
        async for chunk in stream:
            if chunk.choices[0].delta.content:
                break
        await stream.close()
        await w.until(lambda: w.main.open_streams == 0, seconds=5)


async def test_client_that_never_reads_is_dropped_and_blocks_nobody(world):
    async with world(limits={"stalled_write_seconds": 0.3}, model={"max_context": 200}) as w:
        w.main.answer = [20] * 150
        w.main.script = endless(w)
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", w.port))
        body = CHAT | {"stream": True, "logprobs": True, "top_logprobs": 3}
        await asyncio.get_running_loop().sock_sendall(sock, request("/v1/chat/completions", body))
        await w.until(lambda: w.main.open_streams == 1)
        assert (await asyncio.wait_for(w.get("/health"), 5)).status_code == 200
        await w.until(lambda: w.main.open_streams == 0, seconds=20)
        sock.close()
        assert w.gateway.services.house.admission.running == 0


def endless(w):
    async def script(job):
        while True:
            yield w.main.token_line(job, 20)
            await asyncio.sleep(0)

    return script


async def test_thousand_connections_that_send_nothing_are_closed_and_block_nobody(world):
    async with world(limits={"idle_connection_seconds": 1.5}) as w:
        opened = [await asyncio.open_connection("127.0.0.1", w.port) for _ in range(1000)]
        assert (await w.chat()).status_code == 200
        ends = await asyncio.wait_for(
            asyncio.gather(*(reader.read() for reader, _ in opened), return_exceptions=True), 10
        )
        for _, writer in opened:
            writer.close()
    assert len(ends) == 1000


@pytest.mark.parametrize(
    "part", [b"GET /hea", b"POST /tokenize HTTP/1.1\r\ncontent-length: 9\r\n\r\n{"]
)
async def test_request_that_never_ends_is_closed(world, part):
    async with world(limits={"idle_connection_seconds": 0.2}) as w:
        reader, writer = await asyncio.open_connection("127.0.0.1", w.port)
        writer.write(part)
        assert await asyncio.wait_for(reader.read(), 5) == b""
        writer.close()


async def test_connection_is_closed_when_it_idles_after_an_answer(world):
    async with world(limits={"idle_connection_seconds": 0.3}) as w:
        reader, writer = await asyncio.open_connection("127.0.0.1", w.port)
        writer.write(b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n\r\n")
        answer = await asyncio.wait_for(reader.read(), 5)
        writer.close()
    assert answer.startswith(b"HTTP/1.1 200")


async def test_long_answer_outlives_the_idle_bound(world):
    async with world(limits={"idle_connection_seconds": 0.6}) as w:
        w.main.first_pause = 1.2
        assert (await w.chat()).status_code == 200


async def test_connections_beyond_the_limit_are_closed(world):
    async with world(limits={"max_connections": 3}) as w:
        kept = [await asyncio.open_connection("127.0.0.1", w.port) for _ in range(3)]
        await w.until(lambda: len(w.server.server_state.connections) == 3)
        reader, writer = await asyncio.open_connection("127.0.0.1", w.port)
        assert await asyncio.wait_for(reader.read(), 5) == b""
        for _, other in [*kept, (reader, writer)]:
            other.close()


async def test_endless_head_is_refused(world):
    async with world() as w:
        reader, writer = await asyncio.open_connection("127.0.0.1", w.port)
        writer.write(b"GET /health HTTP/1.1\r\nhost: x\r\n")
        await asyncio.sleep(0.05)
        writer.write(b"x-y: " + b"z" * MAX_HEAD_BYTES)
        head = await asyncio.wait_for(reader.readuntil(b"\r\n"), 5)
        writer.close()
    assert b"431" in head


async def test_bytes_that_are_no_http_get_the_envelope(world):
    async with world() as w:
        reader, writer = await asyncio.open_connection("127.0.0.1", w.port)
        writer.write(b"\x16\x03\x01\x02\x00 hello\r\n\r\n")
        answer = await asyncio.wait_for(reader.read(), 5)
        writer.close()
    assert answer.startswith(b"HTTP/1.1 400")
    assert json.loads(answer.split(b"\r\n\r\n")[1])["error"]["type"] == "invalid_request_error"
