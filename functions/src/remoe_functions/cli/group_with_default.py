"""A command that also has subcommands: `remoe plan MODEL` beside `remoe plan explain MODEL`."""

from __future__ import annotations

from typing import Any

from typer.core import TyperGroup


class MakesByDefault(TyperGroup):
    """A group whose first command runs, and gives its help, where no subcommand is named.

    A subcommand may be written as an option, too: `remoe plan --cluster NAME`. Whoever has a
    folder of a subcommand's name writes `./explain`.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401 - click's own
        if args and args[0].removeprefix("--") in self.commands:
            args = [args[0].removeprefix("--"), *args[1:]]
        elif args:
            args = [next(iter(self.commands)), *args]
        return super().parse_args(ctx, args)
