"""A whole service from its start to its end, when nothing goes wrong but the checkpoint."""

import json

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


async def test_a_service_answers_and_says_where_and_what_it_took(service):
    await service.until_ready("gateway", "main")
    await service.answering()
    answer = await service.complete(8)
    assert answer.usage.completion_tokens == 8
    text = answer.choices[0].text
    stop = text.split()[3]
    cut = await service.complete(2000, stop=stop)
    assert cut.choices[0].text == text.split(stop)[0]
    assert cut.usage.completion_tokens <= 4
    assert cut.usage.remoe["complete"] is True
    assert await service.stop() == 0
    said = (service.folder / "said").read_text()
    assert f"serving on http://127.0.0.1:{service.port}" in said
    assert "the model is loaded" in said


async def test_the_token_is_in_no_file_and_no_command_line(service):
    await service.until_ready("gateway", "main")
    children = service.children()
    token = children[0].environ()["REMOE_FUNCTION_TOKEN"]
    assert len(token) > 20
    assert not any(token in word for child in children for word in child.cmdline())
    await service.stop()
    files = [path for path in service.folder.rglob("*") if path.is_file()]
    assert {"plan.json", "gateway.json", "main-1.log"} <= {path.name for path in files}
    assert not any(token in path.read_text() for path in files)


async def test_a_broken_checkpoint_ends_the_service_in_words(tmp_path, checkpoint, plan, starting):
    broken = tmp_path / "broken"
    broken.mkdir()
    for file in checkpoint.iterdir():
        body = file.read_bytes()
        cut = len(body) // 2 if file.suffix == ".safetensors" else len(body)
        (broken / file.name).write_bytes(body[:cut])
    service = await starting(broken, plan)
    assert await service.process.wait() == 1
    complaint = (service.folder / "complained").read_text()
    assert complaint.startswith("remoe serve: main does not start: ")
    assert complaint.count("\n") == 1


async def test_an_idle_main_sleeps_and_the_next_request_wakes_it(checkpoint, plan, starting):
    service = await starting(checkpoint, plan, main_idle_seconds=0)
    await service.answering()
    await service.until(lambda parts: parts["main"].wakes == 1 and not parts["main"].replicas)
    answer = await service.complete(4)
    assert answer.usage.completion_tokens == 4
    assert (await service.control.snapshot()).parts["main"].wakes == 2
    assert json.loads((service.folder / "gateway.json").read_text())["port"] == service.port
