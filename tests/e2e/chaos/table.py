"""What each fault did to clients, and how long it took to heal; and how that is printed."""

from __future__ import annotations

import contextlib
import json
import time
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path

from e2e.waiting import until

HEAL_SECONDS = 180.0
ANSWER_SECONDS = 200.0
HEADINGS = ("fault", "requests", "lost", "what clients saw", "longest answer, s", "healed after, s")


@dataclass(frozen=True, kw_only=True)
class Row:
    """One fault.

    Attributes:
        requests: that were in flight when it came, or were asked until it had healed.
        lost: of them, without a whole answer.
        seen: by clients, or by whoever reads the status; in words.
        longest_seconds: the slowest answer.
        healed_seconds: from the fault, or from its end where it lasts, until all was as before.
    """

    fault: str
    requests: int
    lost: int
    seen: str
    longest_seconds: float | None
    healed_seconds: float | None

    def cells(self):
        return (
            self.fault,
            str(self.requests or "-"),
            str(self.lost) if self.requests else "-",
            self.seen.replace("|", "\\|").replace("\n", " "),
            _seconds(self.longest_seconds),
            _seconds(self.healed_seconds),
        )


class Fault:
    """One fault while it lasts, and while it heals."""

    def __init__(self, load):
        self._load, self.begun = load, time.monotonic()
        self._healing, self.healed_seconds, self._said = self.begun, None, []

    def watch(self, load):
        """Its requests count."""
        self._load = load

    def say(self, words):
        """Something to tell in the row."""
        self._said.append(words)

    def over(self):
        """From now on it can heal."""
        self._healing = time.monotonic()

    def heals(self, question, what, *, seconds=HEAL_SECONDS, state=str):
        """`question()` is true in the end; counted from the fault, or from its end."""
        until(question, seconds, what, state=state)
        self.healed_seconds = time.monotonic() - self._healing

    @property
    def asked(self):
        return self._load.asked_since(self.begun) if self._load else []

    @property
    def failures(self):
        return [a for a in self.asked if a.failure]

    def nothing_lost(self):
        """Every request was answered in full."""
        assert not self.failures, "\n".join(a.failure for a in self.failures)

    def row(self, name):
        asked = self.asked
        answered = [a.seconds for a in asked if not a.failure]
        return Row(
            fault=name,
            requests=len(asked),
            lost=len(self.failures),
            seen="; ".join([*_failures(self.failures), *self._said]) or "nothing",
            longest_seconds=max(answered, default=None),
            healed_seconds=self.healed_seconds,
        )


class Table:
    """All rows of a run; written to a file as they come, where one is named."""

    def __init__(self, path=None):
        self.rows, self._path = [], path and Path(path)

    @contextlib.contextmanager
    def fault(self, name, load=None):
        """A row, of what happens meanwhile and until clients are answered after it."""
        fault = Fault(load)
        try:
            yield fault
            if load:
                load.wait_answered(ANSWER_SECONDS)
        finally:
            self.rows.append(fault.row(name))
            if self._path:
                self._path.write_text(json.dumps([asdict(row) for row in self.rows], indent=2))

    def markdown(self):
        lines = [HEADINGS, ["---"] * len(HEADINGS), *(row.cells() for row in self.rows)]
        return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _failures(failures):
    """Kinds of failures with their numbers, the most frequent first."""
    kinds = Counter(a.failure[:160] for a in failures)
    return [f"{number} x {words}" for words, number in kinds.most_common(4)]


def _seconds(value):
    return "-" if value is None else f"{value:.1f}"
