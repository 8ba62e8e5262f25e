"""The body of POST /v1/completions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import Field

from remoe_functions.gateway.errors import InvalidRequest
from remoe_functions.gateway.sampling_request import SamplingRequest, TokenId

Prompt = str | tuple[int, ...]


class CompletionRequest(SamplingRequest):
    """A text completion asked for: of a string, strings, token ids, or lists of token ids."""

    prompt: str | list[str] | list[TokenId] | list[list[TokenId]]
    logprobs: Annotated[int, Field(ge=0)] | None = None
    add_special_tokens: bool = True

    @classmethod
    def parse(cls, body: Mapping[str, Any]) -> Self:
        _check_prompt(body.get("prompt"))
        return super().parse(body)

    @property
    def prompts(self) -> tuple[Prompt, ...]:
        """The prompts, each text or token ids."""
        prompt = self.prompt
        if isinstance(prompt, str):
            return (prompt,)
        if isinstance(prompt[0], int):
            return (tuple(token for token in prompt if isinstance(token, int)),)
        return tuple(
            p if isinstance(p, str) else tuple(p) for p in prompt if not isinstance(p, int)
        )

    @property
    def wanted_logprobs(self) -> int | None:
        return self.logprobs


def _check_prompt(prompt: object) -> None:
    """Say in one sentence what pydantic would say once per branch of the union."""
    if prompt is None:
        raise InvalidRequest(
            "prompt: Field required", param="prompt", code="missing_required_parameter"
        )
    items = prompt if isinstance(prompt, list) else [prompt]
    if not items or any(item in ("", []) for item in items):
        raise InvalidRequest("prompt must not be empty", param="prompt", code="invalid_value")
    kinds = {_kind(item) for item in items}
    allowed = {"text"} if not isinstance(prompt, list) else {"text", "token", "tokens"}
    if len(kinds) > 1 or not kinds <= allowed:
        raise InvalidRequest(
            "prompt must be a string, an array of strings, an array of token ids, or an array of "
            "arrays of token ids",
            param="prompt",
            code="invalid_value",
        )


def _kind(item: object) -> str:
    if isinstance(item, str):
        return "text"
    if _is_token(item):
        return "token"
    return "tokens" if isinstance(item, list) and all(map(_is_token, item)) else "other"


def _is_token(item: object) -> bool:
    return type(item) is int and 0 <= item < 2**31
