"""The bodies of POST /tokenize and POST /detokenize, as vLLM has them."""

from __future__ import annotations

from remoe_functions.gateway.chat_request import Message
from remoe_functions.gateway.parameters import RequestBody
from remoe_functions.gateway.sampling_request import TokenId


class TokenizeRequest(RequestBody):
    """POST /tokenize: a prompt, or messages put through the chat template first."""

    model: str | None = None
    prompt: str | None = None
    messages: list[Message] | None = None
    add_special_tokens: bool = True
    add_generation_prompt: bool = True
    return_token_strs: bool = False


class DetokenizeRequest(RequestBody):
    """POST /detokenize: token ids."""

    model: str | None = None
    tokens: list[TokenId]
