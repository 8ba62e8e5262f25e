"""Errors as one readable line and exit code 1.

Only what a user can act on is put so; a fault of ours keeps its traceback.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import typer
from typer.core import TyperGroup

_ROOM = "remoe_functions"
# By name, so that telling an error loads nothing: who raised one has loaded it.
_EXPECTED = (
    (f"{_ROOM}.checkpoint.errors", "CheckpointError"),
    (f"{_ROOM}.demo_model.assemble", "AssemblyError"),
    (f"{_ROOM}.quantized.errors", "QuantizationError"),
    (f"{_ROOM}.runtime.errors", "PartError"),
    (f"{_ROOM}.sample_prompts.prompts", "PromptFileError"),
    (f"{_ROOM}.source.errors", "SourceError"),
)


class CommandError(Exception):
    """A command cannot do what was asked; the message is one line for the user."""


class FailingReadably(TyperGroup):
    """A group of commands whose expected errors end in one line on stderr."""

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401 - the framework's own signature
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise typer.Exit(130) from None
        except BrokenPipeError:  # the reader left; the framework ends quietly
            raise
        except Exception as error:
            if not isinstance(error, (CommandError, OSError, *_loaded())):
                raise
            typer.echo(f"remoe: {_one_line(error)}", err=True)
            raise typer.Exit(1) from error


def _loaded() -> Iterator[type[Exception]]:
    for module, name in _EXPECTED:
        if module in sys.modules:
            yield getattr(sys.modules[module], name)


def _one_line(error: Exception) -> str:
    if isinstance(error, OSError) and error.filename and error.strerror:
        return f"{error.filename}: {error.strerror}"
    return " ".join(str(error).split()) or type(error).__name__
