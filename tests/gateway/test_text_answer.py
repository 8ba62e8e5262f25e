"""What a client of /v1/completions, /tokenize, /detokenize and /v1/models gets."""

import pytest


async def test_official_client_reads_a_completion(world):
    async with world() as w, w.openai() as client:
        answer = await client.completions.create(model="tiny", prompt="hi")
    assert answer.choices[0].text == "hello world"
    assert answer.object == "text_completion"


async def test_prompts_in_a_list_are_answered_in_order(world):
    async with world() as w, w.openai() as client:
        answer = await client.completions.create(model="tiny", prompt=["a", "b"], n=2)
        encode = w.tokenizer.encode
    assert [choice.index for choice in answer.choices] == [0, 1, 2, 3]
    prompts = {job["request_id"][-2:]: job["prompt"] for job in w.main.jobs}
    a, b = (encode(text, add_special_tokens=True) for text in "ab")
    assert prompts == {"-0": a, "-1": a, "-2": b, "-3": b}


@pytest.mark.parametrize(("prompt", "jobs"), [([5, 6], [[5, 6]]), ([[5], [6]], [[5], [6]])])
async def test_token_ids_are_taken_as_prompts(world, prompt, jobs):
    async with world() as w:
        await w.post("/v1/completions", {"model": "tiny", "prompt": prompt})
    assert sorted(job["prompt"] for job in w.main.jobs) == jobs


async def test_logprobs_have_the_completions_form(world):
    async with world() as w, w.openai() as client:
        answer = await client.completions.create(model="tiny", prompt="hi", logprobs=1)
    logprobs = answer.choices[0].logprobs
    assert "".join(logprobs.tokens) == "hello world"
    assert logprobs.text_offset == [0, len(logprobs.tokens[0])]
    assert logprobs.token_logprobs == [-0.5, -0.5]
    assert logprobs.top_logprobs[0] == {logprobs.tokens[0]: -0.5}


async def test_stream_of_a_completion_ends_with_usage_and_done(world):
    async with world() as w:
        body = {"model": "tiny", "prompt": "hi", "stream": True}
        response = await w.post(
            "/v1/completions", body | {"stream_options": {"include_usage": True}}
        )
    events = [line for line in response.text.splitlines() if line.startswith("data: ")]
    assert events[-1] == "data: [DONE]"
    assert '"usage":{"prompt_tokens"' in events[-2]
    assert response.headers["content-type"].startswith("text/event-stream")


async def test_models_are_listed_and_described(world):
    async with world() as w, w.openai() as client:
        names = [model.id async for model in await client.models.list()]
        one = await client.models.retrieve("tiny")
    assert names == ["tiny"]
    assert (one.object, one.owned_by, one.max_model_len) == ("model", "remoe", 256)


async def test_text_and_tokens_go_both_ways(world):
    async with world() as w:
        tokens = (await w.post("/tokenize", {"prompt": "héllo 🦊"})).json()
        text = (await w.post("/detokenize", {"tokens": tokens["tokens"]})).json()
    assert tokens["count"] == len(tokens["tokens"])
    assert text == {"prompt": "héllo 🦊"}


async def test_messages_are_tokenized_as_chat_would(world):
    async with world() as w:
        messages = [{"role": "user", "content": "hello"}]
        tokens = (await w.post("/tokenize", {"messages": messages})).json()["tokens"]
        await w.chat()
    assert tokens == w.main.jobs[0]["prompt"]
