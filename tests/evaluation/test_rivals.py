"""Rivals are asked as Remoe is: real processes, real sockets, tiny models."""

import time

import psutil
import pytest
from builders.talking_mixtral import talking_mixtral
from evaluation.rivals import rival as rivals
from evaluation.rivals.llama_cpp import LlamaCpp
from evaluation.rivals.rival import RivalError
from evaluation.rivals.timing import Timing
from evaluation.rivals.transformers_alone import TransformersAlone
from transformers import AutoModelForCausalLM, AutoTokenizer

from remoe_functions.cli.asking import Answer

PROMPT, TOKENS = "What is that?", 12


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return talking_mixtral(tmp_path_factory.mktemp("mixtral"), dtype="bfloat16")


@pytest.fixture(scope="module")
def transformers_alone(checkpoint):
    with TransformersAlone(threads=1, experts="eager") as rival:
        rival.start(checkpoint)
        yield rival


@pytest.mark.slow
def test_transformers_alone_gives_the_tokens_of_generate(checkpoint, transformers_alone):
    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    model = AutoModelForCausalLM.from_pretrained(checkpoint, dtype="bfloat16")
    inputs = tokenizer.apply_chat_template(
        [{"role": "user", "content": PROMPT}],
        add_generation_prompt=True,
        return_tensors="pt",
        return_dict=True,
    )
    tokens = model.generate(
        **inputs, max_new_tokens=TOKENS, min_new_tokens=TOKENS, do_sample=False, eos_token_id=[]
    )
    start = inputs["input_ids"].shape[1]
    expected = tokenizer.decode(tokens[0, start:], skip_special_tokens=True)
    timing = transformers_alone.ask(PROMPT, TOKENS)
    # A character whose bytes are not all there yet is held back.
    assert timing.text.rstrip("\ufffd") == expected.rstrip("\ufffd")
    assert (timing.prompt_tokens, timing.output_tokens) == (start, TOKENS)


@pytest.mark.slow
def test_transformers_alone_knows_its_memory_and_its_start(transformers_alone):
    assert transformers_alone.memory_bytes() > 50 << 20
    assert transformers_alone.start_seconds > 0.1


def test_time_per_token_leaves_out_the_first():
    answer = Answer(
        text="a b c",
        prompt_tokens=7,
        completion_tokens=3,
        ttft_seconds=1.0,
        elapsed_seconds=2.0,
        receipt=None,
    )
    timing = Timing.of(answer)
    assert (timing.ttft_seconds, timing.tpot_seconds) == (1.0, 0.5)
    assert timing.tokens_per_second == 2.0


def test_one_token_has_no_time_per_token():
    answer = Answer(
        text="a",
        prompt_tokens=7,
        completion_tokens=1,
        ttft_seconds=1.0,
        elapsed_seconds=1.0,
        receipt=None,
    )
    with pytest.raises(ValueError, match="an answer of 1 tokens"):
        Timing.of(answer)


def test_llama_cpp_that_is_not_here_says_so(checkpoint, tmp_path):
    with LlamaCpp(server=tmp_path / "llama-server") as rival:
        with pytest.raises(RivalError, match="llama-server is not here"):
            rival.start(checkpoint)
        assert rival.memory_bytes() == 0


def executable(path, body):
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return path


def kept(folder):
    (folder / "model-bf16.gguf").write_bytes(b"converted before")
    return folder


def test_server_that_goes_away_is_told_with_its_last_words(checkpoint, tmp_path):
    server = executable(tmp_path / "llama-server", "echo no such luck; exit 3")
    with (
        LlamaCpp(server=server, keep=kept(tmp_path)) as rival,
        pytest.raises(RivalError, match="went away before it answered: no such luck"),
    ):
        rival.start(checkpoint)


def test_server_that_never_answers_is_ended(checkpoint, tmp_path, monkeypatch):
    monkeypatch.setattr(rivals, "START_SECONDS", 0.5)
    server = executable(tmp_path / "llama-server", f"echo $$ > {tmp_path}/pid; exec sleep 60")
    with (
        LlamaCpp(server=server, keep=kept(tmp_path)) as rival,
        pytest.raises(RivalError, match="took over 0 s"),
    ):
        rival.start(checkpoint)
    pid, until = int((tmp_path / "pid").read_text()), time.monotonic() + 5
    while psutil.pid_exists(pid) and time.monotonic() < until:
        time.sleep(0.01)
    assert not psutil.pid_exists(pid)


def test_settings_name_the_build_and_what_is_on(tmp_path):
    server = executable(tmp_path / "llama-server", "echo 'version: 7 (abc)' >&2")
    with LlamaCpp(server=server, weights="q8_0", flash_attention=False) as rival:
        assert rival.name == "llama.cpp q8_0"
        assert rival.settings.startswith("version: 7 (abc), q8_0, flash attention off, one slot")
