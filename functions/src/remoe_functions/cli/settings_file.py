"""A TOML file as one of the planner's values, every key of it checked."""

from __future__ import annotations

import tomllib
from dataclasses import MISSING, Field, fields
from pathlib import Path
from typing import Any, ClassVar, Protocol, TypeVar

from remoe_functions.cli.failure import CommandError


class _Value(Protocol):
    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]


Value = TypeVar("Value", bound=_Value)


def read_settings(path: Path, kind: type[Value], what: str) -> Value:
    """Read a file whose top-level keys are the fields of a dataclass of numbers.

    Args:
        path: the file.
        kind: the dataclass; it checks its own bounds.
        what: what the file is, for messages.

    Raises:
        CommandError: the file cannot be read, is not TOML, has a key unknown or lacks one, or a
            value is not allowed; says which.
    """
    try:
        values = tomllib.loads(path.read_text("utf-8"))
        _check(values, kind)
        return kind(**values)
    except (OSError, ValueError) as error:
        raise CommandError(f"cannot use the {what} {path}: {error}") from error


def _check(values: dict[str, Any], kind: type[_Value]) -> None:
    known = {field.name: field for field in fields(kind)}
    if strangers := sorted(set(values) - set(known)):
        raise ValueError(f"unknown key {', '.join(strangers)}; allowed: {', '.join(known)}")
    missing = [name for name, field in known.items() if _is_required(field) and name not in values]
    if missing:
        raise ValueError(f"missing {', '.join(missing)}")
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError(f"{name} must be a number, got {value!r}")


def _is_required(field: Field[Any]) -> bool:
    return field.default is MISSING and field.default_factory is MISSING
