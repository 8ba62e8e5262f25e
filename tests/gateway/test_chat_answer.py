"""What a client of /v1/chat/completions gets."""

import pytest


async def test_official_client_reads_a_whole_answer(world):
    async with world() as w, w.openai() as client:
        answer = await client.chat.completions.create(
            model="tiny", messages=[{"role": "user", "content": "hello"}]
        )
    assert answer.choices[0].message.content == "hello world"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.object == "chat.completion"
    assert answer.usage.completion_tokens == len(w.main.answer)
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + len(w.main.answer)


async def test_prompt_is_the_chat_template_tokenized_once(world, tokenizer):
    async with world() as w:
        await w.chat()
    text = "<|im_start|>user\nhello<|im_end|>\n<|im_start|>assistant\n"
    assert w.main.jobs[0]["prompt"] == tokenizer.encode(text, add_special_tokens=False)


async def test_main_is_asked_with_the_shared_token(world):
    async with world() as w:
        await w.chat()
    assert w.main.authorizations == ["Bearer inner"]


async def test_official_client_reads_a_stream(world):
    async with world() as w, w.openai() as client:
        w.answers("hello wörld 🦊")
        stream = await client.chat.completions.create(
            model="tiny", messages=[{"role": "user", "content": "hello"}], stream=True
        )
        chunks = [chunk async for chunk in stream]
    assert "".join(c.choices[0].delta.content or "" for c in chunks) == "hello wörld 🦊"
    assert chunks[0].choices[0].delta.role == "assistant"
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert all(chunk.usage is None for chunk in chunks)


async def test_no_chunk_holds_half_a_character(world):
    async with world() as w:
        w.answers("🦊ü🦊")
        response = await w.chat(stream=True)
    assert "\ufffd" not in response.text
    assert response.text.endswith("data: [DONE]\n\n")


async def test_usage_chunk_comes_last_when_asked_for(world):
    async with world() as w, w.openai() as client:
        stream = await client.chat.completions.create(
            model="tiny",
            messages=[{"role": "user", "content": "hello"}],
            stream=True,
            stream_options={"include_usage": True},
        )
        chunks = [chunk async for chunk in stream]
    assert chunks[-1].choices == []
    assert chunks[-1].usage.completion_tokens == len(w.main.answer)
    assert chunks[-1].usage.remoe["placements"] == {"local": 6, "remote": 4, "fallback": 0}


async def test_choices_are_parallel_jobs_with_seeds_that_count_up(world):
    async with world() as w, w.openai() as client:
        answer = await client.chat.completions.create(
            model="tiny", messages=[{"role": "user", "content": "hi"}], n=3, seed=7
        )
    assert [choice.index for choice in answer.choices] == [0, 1, 2]
    assert sorted(job["seed"] for job in w.main.jobs) == [7, 8, 9]
    assert answer.usage.completion_tokens == 3 * len(w.main.answer)
    assert len({job["request_id"] for job in w.main.jobs}) == 3


async def test_streamed_choices_keep_their_index(world):
    async with world() as w, w.openai() as client:
        stream = await client.chat.completions.create(
            model="tiny", messages=[{"role": "user", "content": "hi"}], n=2, stream=True
        )
        texts = {0: "", 1: ""}
        async for chunk in stream:
            texts[chunk.choices[0].index] += chunk.choices[0].delta.content or ""
    assert texts == {0: "hello world", 1: "hello world"}


async def test_sampling_parameters_reach_main(world):
    async with world() as w:
        await w.chat(
            temperature=0.5,
            top_p=0.9,
            seed=11,
            max_completion_tokens=4,
            frequency_penalty=0.1,
            presence_penalty=0.2,
            top_k=5,
        )
    job = w.main.jobs[0]
    wanted = {"temperature": 0.5, "top_p": 0.9, "seed": 11, "max_tokens": 4, "top_k": 5}
    wanted |= {"frequency_penalty": 0.1, "presence_penalty": 0.2, "logprobs": None}
    assert {name: job[name] for name in wanted} == wanted


async def test_requests_without_a_seed_get_different_ones(world):
    async with world() as w:
        await w.chat()
        await w.chat()
    assert w.main.jobs[0]["seed"] != w.main.jobs[1]["seed"]


async def test_answer_may_fill_the_context_when_no_limit_is_named(world):
    async with world() as w:
        await w.chat()
    assert w.main.jobs[0]["max_tokens"] == 256 - len(w.main.jobs[0]["prompt"])


async def test_length_is_told_as_finish_reason(world):
    async with world() as w:
        body = (await w.chat(max_tokens=1)).json()
    assert body["choices"][0]["finish_reason"] == "length"
    assert body["usage"]["completion_tokens"] == 1


@pytest.mark.parametrize("stop", ["o w", ["zzz", "o w"]])
@pytest.mark.parametrize("stream", [False, True])
async def test_stop_string_across_tokens_ends_the_answer_and_is_not_shown(world, stop, stream):
    async with world() as w, w.openai() as client:
        w.answers("hello world and on and on", token_pause=0.01)
        options = {
            "model": "tiny",
            "messages": [{"role": "user", "content": "hi"}],
            "stop": stop,
        }
        if stream:
            chunks = [c async for c in await client.chat.completions.create(**options, stream=True)]
            text = "".join(c.choices[0].delta.content or "" for c in chunks)
            finish = chunks[-1].choices[0].finish_reason
        else:
            choice = (await client.chat.completions.create(**options)).choices[0]
            text, finish = choice.message.content, choice.finish_reason
        assert (text, finish) == ("hell", "stop")
        await w.until(lambda: w.main.open_streams == 0)


async def test_logprobs_come_with_bytes_and_alternatives(world):
    async with world() as w, w.openai() as client:
        answer = await client.chat.completions.create(
            model="tiny",
            messages=[{"role": "user", "content": "hi"}],
            logprobs=True,
            top_logprobs=2,
        )
    content = answer.choices[0].logprobs.content
    assert b"".join(bytes(entry.bytes) for entry in content) == b"hello world"
    assert [len(entry.top_logprobs) for entry in content] == [2] * len(content)
    assert content[0].logprob == -0.5


async def test_streamed_logprobs_cover_every_token(world):
    async with world() as w, w.openai() as client:
        stream = await client.chat.completions.create(
            model="tiny", messages=[{"role": "user", "content": "hi"}], logprobs=True, stream=True
        )
        entries = [
            entry
            async for chunk in stream
            if chunk.choices[0].logprobs
            for entry in chunk.choices[0].logprobs.content
        ]
    assert len(entries) == len(w.main.answer)


async def test_text_parts_are_joined_and_developer_speaks_as_system(world, tokenizer):
    async with world() as w:
        parts = [{"type": "text", "text": "he"}, {"type": "text", "text": "llo"}]
        await w.chat(messages=[{"role": "developer", "content": parts}])
    text = tokenizer.decode_all(w.main.jobs[0]["prompt"])
    assert text == "<|im_start|>system\nhello<|im_end|>\n<|im_start|>assistant\n"


async def test_end_token_is_not_part_of_the_text(world):
    async with world() as w:
        w.main.answer = [*w.main.answer, 1]
        body = (await w.chat()).json()
    assert body["choices"][0]["message"]["content"] == "hello world"
    assert w.main.jobs[0]["stop_token_ids"] == [1]


async def test_request_id_of_the_client_comes_back(world):
    async with world() as w:
        body = {"model": "tiny", "messages": [{"role": "user", "content": "hello"}]}
        given = await w.post("/v1/chat/completions", body, headers={"x-request-id": "abc-1"})
        insane = await w.post("/v1/chat/completions", body, headers={"x-request-id": "a b\"'"})
    assert given.headers["x-request-id"] == "abc-1"
    assert w.main.jobs[0]["request_id"].startswith("abc-1")
    assert len(insane.headers["x-request-id"]) == 32
