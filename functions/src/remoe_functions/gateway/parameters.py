"""What a request body may hold: parsing, and refusals by name. What it means is the requests' own.

Three kinds of parameter beside those that are served: harmless ones that OpenAI's clients send
(dropped), known ones that are not served (refused by name unless they ask for nothing), and
unknown ones (refused by name: a typo should not pass in silence).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from remoe_functions.gateway.errors import InvalidRequest

HARMLESS = frozenset(
    {
        "metadata",
        "parallel_tool_calls",
        "prompt_cache_key",
        "prompt_cache_retention",
        "safety_identifier",
        "service_tier",
        "store",
        "user",
    }
)

# Parameters that are not served, with the values by which they ask for nothing.
UNSUPPORTED: Mapping[str, tuple[Any, ...]] = {
    "audio": (),
    "best_of": (1,),
    "echo": (False,),
    "function_call": ("none",),
    "functions": ([],),
    "guided_choice": (),
    "guided_grammar": (),
    "guided_json": (),
    "guided_regex": (),
    "logit_bias": ({},),
    "modalities": (["text"],),
    "moderation": (),
    "prediction": (),
    "reasoning_effort": ("none",),
    "response_format": ({"type": "text"},),
    "structured_outputs": (),
    "suffix": ("",),
    "tool_choice": ("none", "auto"),
    "tools": ([],),
    "verbosity": ("medium",),
    "web_search_options": (),
}


class RequestBody(BaseModel):
    """A request body. Types are strict: `"5"` is no number and `true` no 1."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    unsupported: ClassVar[Mapping[str, tuple[Any, ...]]] = UNSUPPORTED

    @classmethod
    def parse(cls, body: Mapping[str, Any]) -> Self:
        """Check a decoded body; a parameter that is null counts as absent.

        Raises:
            InvalidRequest: names the parameter, what is wrong with it and what is allowed.
        """
        given = {name: value for name, value in body.items() if value is not None}
        for name in given.keys() - cls.model_fields.keys():
            cls._refuse(name, given.pop(name))
        try:
            return cls.model_validate(given)
        except ValidationError as error:
            raise _refusal(error) from error

    @classmethod
    def _refuse(cls, name: str, value: object) -> None:
        if name in HARMLESS:
            return
        if name not in cls.unsupported:
            raise InvalidRequest(
                f"unknown parameter: {name!r}", param=name, code="unknown_parameter"
            )
        if value not in cls.unsupported[name]:
            raise InvalidRequest(
                f"parameter {name!r} is not supported by this service",
                param=name,
                code="unsupported_parameter",
            )


def _refusal(error: ValidationError) -> InvalidRequest:
    errors = error.errors(include_url=False, include_context=False)
    # Of a union's branches the one that got furthest into the value is the one that was meant.
    first = max((e for e in errors if e["loc"][:1] == errors[0]["loc"][:1]), key=_depth)
    param = _path(first["loc"])
    got = "" if first["type"] == "missing" else f", got {_short(first['input'])}"
    code = "missing_required_parameter" if first["type"] == "missing" else "invalid_value"
    where = f"{param}: " if param else ""
    return InvalidRequest(f"{where}{first['msg']}{got}", param=param or None, code=code)


def _depth(error: ErrorDetails) -> int:
    return len(error["loc"])


def _path(loc: tuple[int | str, ...]) -> str:
    """`messages[0].content`, as OpenAI writes it; the names of a union's branches are left out."""
    path = ""
    for step in loc:
        if isinstance(step, int):
            path += f"[{step}]"
        elif step.isidentifier() and step not in {"str", "int", "float", "bool", "list", "dict"}:
            path += f".{step}" if path else step
    return path


def _short(value: object) -> str:
    if isinstance(value, list | dict):
        return f"{'an array' if isinstance(value, list) else 'an object'} of {len(value)}"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
