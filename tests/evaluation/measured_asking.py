"""One question to a service of ours, streamed: the client's clock and the whole of its account."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from openai import AsyncOpenAI


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One answer.

    Attributes:
        sent_at: `time.monotonic()`.
        ttft_seconds: from sending to the first text.
        elapsed_seconds: from sending to the end.
        account: the `remoe` field of its usage; empty from services that have none.
    """

    sent_at: float
    ttft_seconds: float
    elapsed_seconds: float
    prompt_tokens: int
    output_tokens: int
    text: str
    account: Mapping[str, Any] = field(default_factory=dict)

    @property
    def tpot_seconds(self) -> float | None:
        """Mean time of a token after the first."""
        steps = self.output_tokens - 1
        return (self.elapsed_seconds - self.ttft_seconds) / steps if steps > 0 else None


async def put(client: AsyncOpenAI, model: str, text: str, tokens: int) -> Asked:
    """Ask for exactly so many tokens, the likeliest ones.

    Raises:
        openai.OpenAIError: the service refused, or broke off.
    """
    sent_at, first_at, pieces, usage = time.monotonic(), None, [], None
    stream = await client.chat.completions.create(
        model=model,
        messages=[{"role": "user", "content": text}],
        max_tokens=tokens,
        temperature=0.0,
        stream=True,
        stream_options={"include_usage": True},
        extra_body={"ignore_eos": True},
    )
    async for chunk in stream:
        usage = chunk.usage or usage
        if said := "".join(choice.delta.content or "" for choice in chunk.choices):
            first_at = first_at or time.monotonic()
            pieces.append(said)
    ended_at = time.monotonic()
    return Asked(
        sent_at=sent_at,
        ttft_seconds=(first_at or ended_at) - sent_at,
        elapsed_seconds=ended_at - sent_at,
        prompt_tokens=usage.prompt_tokens if usage else 0,
        output_tokens=usage.completion_tokens if usage else 0,
        text="".join(pieces),
        account=(getattr(usage, "model_extra", None) or {}).get("remoe") or {},
    )
