"""The heartbeat: requests are admitted, prefilled, decoded together, delivered and retired.

The engine owns one thread. Requests come in and are cancelled from any thread; everything else
happens between steps, so a request that joins or leaves never disturbs another.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from remoe_functions.main.accounting import Account, charge
from remoe_functions.main.dispatcher import Dispatcher
from remoe_functions.main.errors import ContextTooLong, Draining, InvalidRequest, QueueFull
from remoe_functions.main.placement import Placement
from remoe_functions.main.request import Deliver, Failed, Finished, GenerateRequest
from remoe_functions.main.sampling import sample
from remoe_functions.main.sequence import Sequence
from remoe_functions.main.settings import EngineSettings
from remoe_functions.main.stepper import Stepper
from remoe_functions.main.timing import Part, StepTimer

_log = logging.getLogger(__name__)


class Engine:
    """Continuous batching over a slot cache.

    Attributes:
        running: sequences that hold a slot; their place in the list is their slot.
        waiting: sequences that do not, first come first.
        steps: steps taken.
    """

    def __init__(
        self,
        stepper: Stepper,
        dispatcher: Dispatcher,
        placement: Placement,
        *,
        settings: EngineSettings,
        timer: StepTimer,
        end_tokens: frozenset[int],
        vocabulary: int,
        on_retired: Callable[[Sequence], None],
    ) -> None:
        self.settings = settings
        self.end_tokens = end_tokens
        self.running: list[Sequence] = []
        self.waiting: deque[Sequence] = deque()
        self.steps = 0
        self.idle_since = time.monotonic()
        self._stepper = stepper
        self._dispatcher = dispatcher
        self._placement = placement
        self._timer = timer
        self._vocabulary = vocabulary
        self._on_retired = on_retired
        self._wake = threading.Condition()
        self._draining = False
        self._stopping = False

    def submit(self, request: GenerateRequest, deliver: Deliver) -> Sequence:
        """Queue a request; from any thread. Its events go to `deliver` on the engine's thread.

        Raises:
            Draining, QueueFull, InvalidRequest, ContextTooLong: it is not taken; says why.
        """
        self._check(request)
        sequence = Sequence.of(request, deliver, Account.empty(self._placement))
        with self._wake:
            if self._draining:
                raise Draining("this process is shutting down and takes no new requests")
            if self.in_flight >= self.settings.max_batch + self.settings.max_waiting:
                raise QueueFull(f"{self.in_flight} requests are running or waiting already")
            self.waiting.append(sequence)
            self._wake.notify()
        return sequence

    def cancel(self, sequence: Sequence) -> None:
        """Free a sequence's slot before the next step; from any thread."""
        with self._wake:
            sequence.cancelled = True
            self._wake.notify()

    def end(self, sequence: Sequence) -> None:
        """Finish a sequence ("stop", with its account) before the next step; from any thread."""
        with self._wake:
            sequence.ended = True
            self._wake.notify()

    def run(self) -> None:
        """Step until stopped; the body of the engine's thread."""
        while self._await_work():
            self.step()

    def step(self) -> None:
        """One turn: every running request gets its next token."""
        self._retire()
        self._admit()
        with self._timer.whole():
            try:
                self._prefill()
                self._decode()
            except Exception as error:  # noqa: BLE001 (one bad step must not end the service)
                self._fail(error)
        self.steps += 1
        self._retire()

    def drain(self, timeout_seconds: float) -> bool:
        """Take nothing new and wait for what runs; whether all of it finished in time."""
        with self._wake:
            self._draining = True
        end = time.monotonic() + timeout_seconds
        while self.in_flight and time.monotonic() < end:
            time.sleep(0.02)
        return not self.in_flight

    def stop(self) -> None:
        """End the thread after the present step; what still runs gets an error event."""
        with self._wake:
            self._draining = self._stopping = True
            self._wake.notify()

    @property
    def in_flight(self) -> int:
        """Requests running or waiting."""
        return len(self.running) + len(self.waiting)

    @property
    def idle_seconds(self) -> float:
        """How long there has been nothing to do."""
        return 0.0 if self.in_flight else time.monotonic() - self.idle_since

    @property
    def cache_usage(self) -> float:
        """Share of the key-value cache's tokens in use, 0 to 1."""
        used = sum(sequence.cached for sequence in self.running.copy())
        return used / (self.settings.max_batch * self.settings.max_context)

    def _check(self, request: GenerateRequest) -> None:
        tokens = (*request.prompt, *request.generated)
        if not request.prompt:
            raise InvalidRequest("prompt must have at least one token")
        if not 0 <= min(tokens) <= max(tokens) < self._vocabulary:
            raise InvalidRequest(
                f"tokens must be in 0..{self._vocabulary - 1}, got {min(tokens)}..{max(tokens)}"
            )
        if request.max_tokens <= len(request.generated):
            raise InvalidRequest(
                f"max_tokens must be > the {len(request.generated)} tokens in generated, "
                f"got {request.max_tokens}"
            )
        if (total := len(request.prompt) + request.max_tokens) > self.settings.max_context:
            raise ContextTooLong(
                f"prompt ({len(request.prompt)} tokens) and max_tokens ({request.max_tokens}) make "
                f"{total}, the context is {self.settings.max_context}"
            )

    def _await_work(self) -> bool:
        with self._wake:
            if not self.in_flight and not self._stopping:
                self.idle_since = time.monotonic()
                self._stepper.cache.shrink()
                self._wake.wait_for(lambda: self.in_flight or self._stopping)
            if self._stopping:
                self._fail(Draining("this process is shutting down"))
                self._retire()
            return not self._stopping

    def _admit(self) -> None:
        """Give a slot to one waiting request at a time: the one before must be prefilled."""
        with self._wake:
            if any(sequence.prefilling for sequence in self.running):
                return
            if self.waiting and len(self.running) < self.settings.max_batch:
                sequence = self.waiting.popleft()
                sequence.admitted_at = time.monotonic()
                self.running.append(sequence)

    def _prefill(self) -> None:
        """Compute one chunk of the newest request's prompt, and its first token at the end."""
        sequence = self.running[-1] if self.running else None
        if sequence is None or not sequence.prefilling:
            return
        chunk = sequence.pending[: self.settings.prefill_chunk]
        start, slot = sequence.cached, len(self.running) - 1
        self._stepper.cache.reserve(start + len(chunk), len(self.running))
        began = time.perf_counter()
        logits = self._stepper.prefill(chunk, slot=slot, start=start)
        sequence.cached += len(chunk)
        self._charge([sequence], time.perf_counter() - began, decode=False)
        if not sequence.pending:
            self._sample([sequence], logits[None])
            sequence.report_routing()

    def _decode(self) -> None:
        """Compute the next token of every request whose prompt is done."""
        # A prefix of the slots: only the last can still be prefilling, or be done after one token.
        batch = [each for each in self.running if not each.prefilling and each.finish is None]
        if not batch:
            return
        lengths = [sequence.cached for sequence in batch]
        self._stepper.cache.reserve(max(lengths) + 1, len(self.running))
        began = time.perf_counter()
        logits = self._stepper.decode([sequence.tokens[-1] for sequence in batch], lengths)
        for sequence in batch:
            sequence.cached += 1
        self._charge(batch, time.perf_counter() - began, decode=True)
        self._sample(batch, logits)

    def _sample(self, batch: list[Sequence], logits: NDArray[np.float32]) -> None:
        since = time.perf_counter()
        now = time.monotonic()
        for sequence, row in zip(batch, logits, strict=True):
            request = sequence.request
            token = sample(row, request.sampling, sequence.generated, sequence.counts)
            sequence.accept(token, self.end_tokens, now)
        self._timer.add(Part.SAMPLING, since)

    def _charge(self, batch: list[Sequence], seconds: float, *, decode: bool) -> None:
        accounts = [sequence.account for sequence in batch]
        trace = self._dispatcher.take_trace()
        charge(accounts, trace, self._placement, seconds=seconds, decode=decode)

    def _retire(self) -> None:
        """Free the slots of finished and cancelled requests; the last slot fills the gap."""
        for slot in reversed(range(len(self.running))):
            sequence = self.running[slot]
            if sequence.ended and not sequence.cancelled:
                sequence.finish = sequence.finish or "stop"
            if sequence.finish is None and not sequence.cancelled:
                continue
            self._free(slot)
            if sequence.finish is not None:
                sequence.deliver(Finished(reason=sequence.finish, usage=sequence.usage()))
            self._on_retired(sequence)
        if any(sequence.unwanted for sequence in self.waiting.copy()):
            self._dismiss()

    def _dismiss(self) -> None:
        """Take out the waiting whose caller has left or has enough; they count nowhere."""
        with self._wake:
            leavers = [each for each in self.waiting if each.unwanted]
            self.waiting = deque(each for each in self.waiting if not each.unwanted)
        for sequence in leavers:
            if not sequence.cancelled:
                sequence.deliver(Finished(reason="stop", usage=sequence.usage()))

    def _free(self, slot: int) -> None:
        """Take a sequence out, keeping slots without gaps and the prefilling one last."""
        del self.running[slot]
        last = len(self.running)
        if slot == last:
            return
        # Everything behind the gap must be in the list's order. Moving the last decoding one
        # into the gap and, where there is one, the prefilling one after it, copies least.
        tail = 1 if self.running[-1].prefilling else 0
        if len(self.running) - tail > slot:
            mover = self.running.pop(len(self.running) - 1 - tail)
            self.running.insert(slot, mover)
            self._stepper.cache.move(last - tail, slot, mover.cached)
        if tail:
            self._stepper.cache.move(last, last - 1, self.running[-1].cached)

    def _fail(self, error: Exception) -> None:
        """End every request with an error; a service that goes on is worth more than a cause."""
        if not isinstance(error, Draining):
            _log.error("a step failed", exc_info=error)
        self._dispatcher.take_trace()
        code = error.code if isinstance(error, Draining) else "internal_error"
        message = str(error) if isinstance(error, Draining) else "the model failed on this request"
        with self._wake:
            victims = [*self.running, *(self.waiting if self._stopping else ())]
            for sequence in victims:
                sequence.cancelled = True
        for sequence in victims:
            sequence.deliver(Failed(code=code, message=message))
