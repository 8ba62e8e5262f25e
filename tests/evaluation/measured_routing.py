"""The routing of the very prompts and answers of section 2, token by token, for the simulator.

The answers that were measured are put to the main model as if they were part of their prompts: one
pass over both tells the experts of every token. What was measured is not disturbed by it.
"""

from __future__ import annotations

import queue
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from remoe_functions.gateway.tokenizer import Tokenizer
from remoe_functions.main.directory import StaticDirectory
from remoe_functions.main.request import Failed, Finished, GenerateRequest, Prefilled, Sampling
from remoe_functions.main.service import Service, ServiceOptions
from remoe_functions.source.source import Source

SECONDS = 120.0


@dataclass(frozen=True, kw_only=True)
class Routed:
    """One request's tokens and their experts.

    Attributes:
        prompt: token ids.
        prompt_experts: [tokens, layers, top_k].
        answer_experts: [steps, layers, top_k], of every answer's token but the last.
    """

    prompt: np.ndarray
    prompt_experts: np.ndarray
    answer_experts: np.ndarray


def keep_routing(
    path: Path, source: Source, prompts: Sequence[str], run: Mapping[str, Any], tokens: int
) -> None:
    """Route what a run was asked and answered, and keep it."""
    tokenizer = Tokenizer.open(source.directory)
    options = ServiceOptions(model=source.directory, max_batch=1)
    service = Service(options, StaticDirectory({}), lambda _: None)
    service.start()
    try:
        found = [
            _routed(service, as_chat(tokenizer, prompt), _tokens(tokenizer, request), tokens)
            for prompt, request in zip(prompts, run["requests"], strict=False)
        ]
    finally:
        service.stop()
    keep(path, found)


def as_chat(tokenizer: Tokenizer, text: str) -> tuple[int, ...]:
    """The tokens that the gateway makes of a prompt."""
    messages = [{"role": "user", "content": text}]
    rendered = tokenizer.template.render(messages, add_generation_prompt=True)
    return tuple(tokenizer.encode(rendered, add_special_tokens=False))


def keep(path: Path, found: Sequence[Routed]) -> None:
    np.savez_compressed(
        path,
        prompts=np.concatenate([one.prompt for one in found]),
        prompt_lengths=np.array([len(one.prompt) for one in found]),
        answer_lengths=np.array([len(one.answer_experts) for one in found]),
        prompt_experts=np.concatenate([one.prompt_experts for one in found]),
        answer_experts=np.concatenate([one.answer_experts for one in found]),
    )


def read(path: Path) -> list[Routed]:
    """What was kept, in the order of the prompts."""
    arrays = np.load(path)
    prompts, answers = np.cumsum(arrays["prompt_lengths"]), np.cumsum(arrays["answer_lengths"])
    parts = zip(
        np.split(arrays["prompts"], prompts[:-1]),
        np.split(arrays["prompt_experts"], prompts[:-1]),
        np.split(arrays["answer_experts"], answers[:-1]),
        strict=True,
    )
    return [Routed(prompt=p, prompt_experts=e, answer_experts=a) for p, e, a in parts]


def _tokens(tokenizer: Tokenizer, request: Mapping[str, Any]) -> tuple[int, ...]:
    return tuple(tokenizer.encode(request["text"], add_special_tokens=False))


def _routed(
    service: Service, prompt: tuple[int, ...], answer: tuple[int, ...], tokens: int
) -> Routed:
    """Of the answer, as many steps as were measured: text read back may be a token off."""
    experts = _experts(service, (*prompt, *answer))
    if len(experts) < len(prompt) + len(answer):  # only the last tokens of a long one are told
        head = _experts(service, prompt[: len(prompt) + len(answer) - len(experts)])
        experts = np.concatenate([head, experts])
    answered = experts[len(prompt) :]
    steps = np.arange(tokens - 1) % max(len(answered), 1)
    return Routed(
        prompt=np.array(prompt, np.int32),
        prompt_experts=experts[: len(prompt)],
        answer_experts=answered[steps] if len(answered) else experts[-1:][steps],
    )


def _experts(service: Service, tokens: tuple[int, ...]) -> np.ndarray:
    events: queue.SimpleQueue[Any] = queue.SimpleQueue()
    service.engine.submit(
        GenerateRequest(
            request_id="routing",
            prompt=tokens,
            max_tokens=1,
            sampling=Sampling(temperature=0),
            report_routing=True,
        ),
        events.put,
    )
    prefilled = None
    while True:
        match events.get(timeout=SECONDS):
            case Prefilled() as prefilled:
                pass
            case Finished() if prefilled is not None:
                return prefilled.experts
            case Failed(message=message):
                raise RuntimeError(message)
