"""Answers as they stream, side by side where they come at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.text import Text

from remoe_functions.cli.answer_line import describe
from remoe_functions.cli.asking import Answer
from remoe_functions.cli.demonstration.measure import Pane
from remoe_functions.cli.demonstration.script import Round


class _Shown(Pane):
    """A panel with the prompt above, the answer in it, and what happened below."""

    def __init__(self, prompt: str) -> None:
        self._prompt = prompt
        self._text = Text()
        self._below = Text("…", style="dim")

    def text(self, piece: str) -> None:
        self._text.append(piece)

    def done(self, answer: Answer) -> None:
        self._below = Text(describe(answer), style="dim")

    def __rich__(self) -> RenderableType:
        title = Text(self._prompt, style="bold")
        return Panel(Group(self._text, self._below), title=title, title_align="left")


class Screen:
    """Shows rounds on a console."""

    def __init__(self, console: Console) -> None:
        self._console = console

    @contextmanager
    def answers(self, part: Round) -> Iterator[list[Pane]]:
        """Panes for a round's prompts, redrawn while they fill."""
        self._console.print(f"\n[bold cyan]{part.title}[/]")
        panes = [_Shown(prompt) for prompt in part.prompts]
        with Live(Group(*panes), console=self._console, refresh_per_second=8):
            yield list(panes)

    @contextmanager
    def count(self, part: Round) -> Iterator[list[Pane]]:
        """The same, telling only that it is being asked."""
        yield [Pane() for _ in part.prompts]
        for prompt in part.prompts:
            self._console.print(f"  asked again: {prompt}", style="dim", highlight=False)
