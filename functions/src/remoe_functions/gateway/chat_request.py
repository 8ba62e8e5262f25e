"""The body of POST /v1/chat/completions."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from remoe_functions.gateway.config import LimitsConfig
from remoe_functions.gateway.errors import InvalidRequest
from remoe_functions.gateway.sampling_request import SamplingRequest

_UNSERVED_IN_MESSAGES = ("tool_calls", "function_call", "audio", "tool_call_id")


class TextPart(BaseModel):
    """A part of a message's content; only text is served."""

    model_config = ConfigDict(extra="ignore", strict=True, frozen=True)

    type: Literal["text"]
    text: str


class Message(BaseModel):
    """One message. Fields that OpenAI's own answers carry (`refusal`, ...) may come back null."""

    model_config = ConfigDict(extra="ignore", strict=True, frozen=True)

    role: Literal["system", "developer", "user", "assistant"]
    content: str | list[TextPart]
    name: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _refuse_tools(cls, body: object) -> object:
        if isinstance(body, dict):
            for name in _UNSERVED_IN_MESSAGES:
                if body.get(name):
                    raise ValueError(f"{name} is not supported by this service")
        return body

    def as_template_message(self) -> dict[str, Any]:
        """The message as chat templates know it."""
        content = self.content
        text = content if isinstance(content, str) else "".join(part.text for part in content)
        role = "system" if self.role == "developer" else self.role
        name = {} if self.name is None else {"name": self.name}
        return {"role": role, "content": text} | name


class ChatRequest(SamplingRequest):
    """A chat completion asked for."""

    messages: Annotated[list[Message], Field(min_length=1)]
    max_completion_tokens: Annotated[int, Field(ge=1)] | None = None
    logprobs: bool = False
    top_logprobs: Annotated[int, Field(ge=0)] | None = None

    @field_validator("messages")
    @classmethod
    def _something_is_said(cls, messages: list[Message]) -> list[Message]:
        if not any(message.content for message in messages):
            raise ValueError("at least one message must have content")
        return messages

    @property
    def wanted_tokens(self) -> int | None:
        return self.max_completion_tokens or self.max_tokens

    @property
    def wanted_logprobs(self) -> int | None:
        return (self.top_logprobs or 0) if self.logprobs else None

    @property
    def template_messages(self) -> list[dict[str, Any]]:
        return [message.as_template_message() for message in self.messages]

    def check(self, limits: LimitsConfig, *, prompts: int = 1) -> None:
        super().check(limits, prompts=prompts)
        if self.top_logprobs is not None and not self.logprobs:
            raise InvalidRequest(
                "top_logprobs is only allowed when logprobs is true", param="top_logprobs"
            )
