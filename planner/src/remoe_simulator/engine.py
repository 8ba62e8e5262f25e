"""The main model's turns, as the real engine takes them (`remoe_functions.main.engine`)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator

from remoe_simulator.agenda import Agenda
from remoe_simulator.passes import Passes
from remoe_simulator.sequence import Sequence


class Engine:
    """Continuous batching.

    Attributes:
        running: sequences that hold a slot.
        waiting: those that do not, first come first.
    """

    def __init__(
        self,
        passes: Passes,
        *,
        max_running: int,
        agenda: Agenda,
        on_prefilled: Callable[[Sequence], None],
        on_retired: Callable[[Sequence], None],
    ) -> None:
        self.running: list[Sequence] = []
        self.waiting: deque[Sequence] = deque()
        self._passes, self._max_running, self._agenda = passes, max_running, agenda
        self._on_prefilled, self._on_retired = on_prefilled, on_retired

    def turns(self) -> Iterator[float]:
        """Until there is nothing left to do; yields seconds to be waited."""
        while self._admit():
            yield from self._prefill()
            yield from self._decode()
            self._retire()

    def _admit(self) -> bool:
        """Give a slot to one at a time: the one before must be prefilled."""
        prefilling = any(sequence.prefilling for sequence in self.running)
        if self.waiting and not prefilling and len(self.running) < self._max_running:
            self.running.append(self.waiting.popleft())
        return bool(self.running)

    def _prefill(self) -> Iterator[float]:
        """One chunk of the newest's prompt, and at its end the first token."""
        sequence = self.running[-1]
        if not sequence.prefilling:
            return
        yield from self._passes.chunk(sequence)
        sequence.after_chunk(self._agenda.now)
        if not sequence.prefilling:
            self._on_prefilled(sequence)

    def _decode(self) -> Iterator[float]:
        """The next token of everyone whose prompt is done."""
        batch = [each for each in self.running if not (each.prefilling or each.finished)]
        if not batch:
            return
        yield from self._passes.step(batch)
        for sequence in batch:
            sequence.after_step(self._agenda.now)

    def _retire(self) -> None:
        """Free the slots of those that are done."""
        for sequence in [each for each in self.running if each.finished]:
            self.running.remove(sequence)
            self._on_retired(sequence)
