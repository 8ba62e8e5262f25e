"""Chat templates: a conversation to one prompt, as the model's own Jinja template says.

The template comes with the checkpoint, so it runs sandboxed, with the conveniences that
templates written for transformers rely on. Tokens are `tokenizer`'s business.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from jinja2 import TemplateError, TemplateSyntaxError, nodes
from jinja2.ext import Extension, loopcontrols
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

from remoe_functions.gateway.errors import InvalidRequest

Clock = Callable[[], datetime]


class ChatTemplate:
    """A compiled template. Immutable, so threads may share it."""

    def __init__(
        self, source: str, special_tokens: Mapping[str, str], *, clock: Clock = datetime.now
    ) -> None:
        """Compile `source`; `special_tokens` (bos_token, ...) are its variables.

        Raises:
            ValueError: the template is not Jinja.
        """
        environment = ImmutableSandboxedEnvironment(
            trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols, _Generation]
        )
        environment.filters["tojson"] = _to_json
        environment.globals["raise_exception"] = _raise_exception
        environment.globals["strftime_now"] = lambda form: clock().strftime(form)
        try:
            self._template = environment.from_string(source)
        except TemplateSyntaxError as error:
            raise ValueError(f"chat template, line {error.lineno}: {error.message}") from error
        self._special_tokens = dict(special_tokens)

    def render(
        self, messages: Sequence[Mapping[str, Any]], *, add_generation_prompt: bool = True
    ) -> str:
        """The prompt of a conversation of `{"role", "content"}` messages.

        Raises:
            InvalidRequest: the template refuses these messages, in its own words.
        """
        try:
            return self._template.render(
                messages=[dict(message) for message in messages],
                add_generation_prompt=add_generation_prompt,
                **self._special_tokens,
            )
        except (TemplateError, TypeError, ValueError) as error:
            raise InvalidRequest(
                f"the model's chat template refuses these messages: {error}", param="messages"
            ) from error


class _Generation(Extension):
    """`{% generation %}`: marks the assistant's words for training; here it is passed through."""

    tags = {"generation"}  # noqa: RUF012 - the type that Jinja declares

    def parse(self, parser: Parser) -> list[nodes.Node]:
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


def _raise_exception(message: str) -> None:
    raise TemplateError(message)


def _to_json(value: object, **options: Any) -> str:  # noqa: ANN401 - json.dumps's own options
    # Jinja's own filter escapes for HTML, which a model is not.
    return json.dumps(value, **({"ensure_ascii": False} | options))
