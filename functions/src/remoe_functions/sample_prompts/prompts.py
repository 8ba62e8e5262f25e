"""The sample prompts, and prompts that somebody brings in a file."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """What a user would say, and what kind of thing it is."""

    kind: str
    text: str


class PromptFileError(Exception):
    """A file of prompts cannot be used; the message names file, line and what is allowed."""


def sample_prompts() -> tuple[Prompt, ...]:
    """The prompts that come with the package; neighbors are of different kinds."""
    text = files(__package__).joinpath("prompts.json").read_text("utf-8")
    prompts = [Prompt(**entry) for entry in json.loads(text)]
    return _interleaved(prompts)


def read_prompts(path: Path) -> tuple[Prompt, ...]:
    """Prompts from a file: one text a line, or, for `.jsonl`, an object with `text` or `prompt`.

    Raises:
        PromptFileError: the file cannot be read, has no prompts, or a line has another form.
    """
    try:
        lines = path.read_text("utf-8").split("\n")  # JSON may hold other line separators
    except (OSError, UnicodeDecodeError) as error:
        raise PromptFileError(f"cannot read {path}: {error}") from error
    read = _from_json if path.suffix == ".jsonl" else _from_text
    prompts = tuple(
        read(path, number, line) for number, line in enumerate(lines, start=1) if line.strip()
    )
    if not prompts:
        raise PromptFileError(f"{path} has no prompts; it wants one a line")
    return prompts


def _from_text(path: Path, number: int, line: str) -> Prompt:  # noqa: ARG001 - as _from_json
    return Prompt(kind="given", text=line.strip())


def _from_json(path: Path, number: int, line: str) -> Prompt:
    try:
        entry = json.loads(line)
        text = entry["prompt"] if "prompt" in entry else entry["text"]
        kind = entry.get("kind", "given")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise PromptFileError(
            f'{path}, line {number}: wants an object like {{"text": "..."}}'
        ) from error
    if not isinstance(text, str) or not isinstance(kind, str) or not text.strip():
        raise PromptFileError(f"{path}, line {number}: text must be a string and not empty")
    return Prompt(kind=kind, text=text)


def _interleaved(prompts: list[Prompt]) -> tuple[Prompt, ...]:
    """One of each kind, then the next of each: so that any first few of them are varied."""
    seen: dict[str, int] = {}
    ranks: list[int] = []
    for prompt in prompts:
        ranks.append(seen.setdefault(prompt.kind, 0))
        seen[prompt.kind] += 1
    return tuple(prompts[place] for place in sorted(range(len(prompts)), key=ranks.__getitem__))
