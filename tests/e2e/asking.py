"""Prompts by the official client library, and what an answer says of itself."""

from __future__ import annotations

import contextlib
import threading
import time
from dataclasses import dataclass
from typing import Any

from httpx import HTTPError
from openai import OpenAIError

PROMPT = "Why is the sky blue? Explain it to a child."


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A streamed answer.

    Attributes:
        pieces: texts in the order in which they came.
        account: Remoe's own part of the usage.
    """

    pieces: tuple[str, ...]
    prompt_tokens: int
    completion_tokens: int
    account: dict[str, Any]
    first_token_seconds: float

    @property
    def text(self):
        return "".join(self.pieces)


def ask(client, model, prompt=PROMPT, *, max_tokens=24):
    """One streamed answer, greedy."""
    begun, first, pieces, usage = time.monotonic(), None, [], None
    stream = client.chat.completions.create(
        model=model,
        messages=[{"role": "user", "content": prompt}],
        stream=True,
        stream_options={"include_usage": True},
        max_tokens=max_tokens,
        temperature=0,
    )
    for chunk in stream:
        usage = chunk.usage or usage
        if chunk.choices and (piece := chunk.choices[0].delta.content):
            first = first or time.monotonic() - begun
            pieces.append(piece)
    return Answer(
        pieces=tuple(pieces),
        prompt_tokens=usage.prompt_tokens,
        completion_tokens=usage.completion_tokens,
        account=usage.model_extra["remoe"],
        first_token_seconds=first,
    )


@contextlib.contextmanager
def asked(client, model, *, clients=1, max_tokens=4):
    """The model is asked all the while; every answer is to be a whole one."""
    over, answers, troubles = threading.Event(), [], []

    def go_on():
        while not over.is_set():
            try:
                answers.append(ask(client, model, max_tokens=max_tokens).account["complete"])
            except (OpenAIError, HTTPError, AttributeError) as error:  # a stream cut short, too
                troubles.append(repr(error))
            over.wait(0.5)

    asking = [threading.Thread(target=go_on) for _ in range(clients)]
    for each in asking:
        each.start()
    try:
        yield
    finally:
        over.set()
        for each in asking:
            each.join()
    assert not troubles, troubles
    assert answers
    assert all(answers)
