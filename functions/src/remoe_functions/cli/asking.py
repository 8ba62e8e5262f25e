"""One question to an OpenAI endpoint, streamed, and what is known of the answer afterwards."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from openai import AsyncOpenAI
from openai.types.chat import ChatCompletionMessageParam

from remoe_functions.cli.receipt import Receipt

Message = ChatCompletionMessageParam
OnText = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A whole answer, and times as the client saw them.

    Attributes:
        text: the answer.
        prompt_tokens: as the service counted.
        completion_tokens: as the service counted.
        ttft_seconds: from sending to the first text; None where none came.
        elapsed_seconds: from sending to the end.
        receipt: the service's own account; None where it gives none.
    """

    text: str
    prompt_tokens: int
    completion_tokens: int
    ttft_seconds: float | None
    elapsed_seconds: float
    receipt: Receipt | None

    @property
    def tpot_seconds(self) -> float | None:
        """Mean time of a token after the first; None before there are two."""
        if self.ttft_seconds is None or self.completion_tokens < 2:
            return None
        return (self.elapsed_seconds - self.ttft_seconds) / (self.completion_tokens - 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """How questions are put.

    Attributes:
        model: the model's name.
        max_tokens: tokens of an answer at most.
        temperature: 0 gives the same answer each time.
        ignore_eos: answers have exactly `max_tokens` tokens (an extension of ours).
    """

    model: str
    max_tokens: int
    temperature: float = 0.0
    ignore_eos: bool = False


async def ask(
    client: AsyncOpenAI,
    asking: Asking,
    messages: Iterable[Message],
    on_text: OnText = lambda text: None,  # noqa: ARG005 - nobody listens
) -> Answer:
    """Stream one answer; `on_text` is told each piece of text as it comes.

    Raises:
        openai.OpenAIError: the service refused, or broke off.
    """
    started_at = time.monotonic()
    first_at: float | None = None
    pieces: list[str] = []
    usage: Any = None
    stream = await client.chat.completions.create(
        model=asking.model,
        messages=list(messages),
        max_tokens=asking.max_tokens,
        temperature=asking.temperature,
        stream=True,
        stream_options={"include_usage": True},
        extra_body={"ignore_eos": True} if asking.ignore_eos else None,
    )
    async for chunk in stream:
        usage = chunk.usage or usage
        if text := "".join(choice.delta.content or "" for choice in chunk.choices):
            first_at = first_at or time.monotonic()
            pieces.append(text)
            on_text(text)
    return Answer(
        text="".join(pieces),
        prompt_tokens=usage.prompt_tokens if usage else 0,
        completion_tokens=usage.completion_tokens if usage else 0,
        ttft_seconds=None if first_at is None else first_at - started_at,
        elapsed_seconds=time.monotonic() - started_at,
        receipt=Receipt.read(_extra(usage)),
    )


async def first_model(client: AsyncOpenAI) -> str:
    """The name of the first model served.

    Raises:
        openai.OpenAIError: the service cannot be asked.
    """
    served = await client.models.list()
    return served.data[0].id if served.data else ""


def _extra(usage: Any) -> Mapping[str, Any] | None:  # noqa: ANN401 - the client's usage or None
    extra = getattr(usage, "model_extra", None) or {}
    return extra.get("remoe")
