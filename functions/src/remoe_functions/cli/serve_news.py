"""What a person at the terminal should hear of a running service, from one snapshot to the next."""

from __future__ import annotations

from collections.abc import Iterator

from remoe_functions.cli.serve_parts import GATEWAY, MAIN
from remoe_functions.runtime.state import PartKind, PartStatus, Snapshot

# A part that never was ready and failed so often is not going to be.
RESTARTS_AT_START = 2


class News:
    """Remembers what was told, so that everything is told once."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._told_failures: dict[str, str] = {}
        self._were_ready: set[str] = set()

    def lines(self, snapshot: Snapshot) -> Iterator[str]:
        """What is new in a snapshot, in the order of its parts."""
        for part in snapshot.parts.values():
            yield from self._of(part)

    def hopeless(self, snapshot: Snapshot) -> str | None:
        """Why the service cannot start, once that is plain."""
        for name in (GATEWAY, MAIN):
            part = snapshot.parts[name]
            if name not in self._were_ready and part.restarts >= RESTARTS_AT_START:
                return f"{name} does not start: {part.last_failure}"
        return None

    def _of(self, part: PartStatus) -> Iterator[str]:
        failure = part.last_failure
        if failure is not None and self._told_failures.get(part.name) != failure:
            self._told_failures[part.name] = failure
            yield f"{part.name} failed: {failure}"
        if part.ready and part.name not in self._were_ready:
            self._were_ready.add(part.name)
            yield from self._first_ready(part)

    def _first_ready(self, part: PartStatus) -> Iterator[str]:
        seconds = part.ready[0].startup_seconds
        if part.name == GATEWAY:
            yield f"serving on {self._url}"
        elif part.kind is PartKind.MAIN:
            yield f"the model is loaded ({seconds:.1f} s)"
