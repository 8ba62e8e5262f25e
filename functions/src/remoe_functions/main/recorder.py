"""Finished requests become history, on a thread of its own: no token waits for a disk."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from remoe_functions.history.record import HistoryRecord
from remoe_functions.history.salt import fingerprint, read_or_make_salt
from remoe_functions.history.writer import HistoryWriter
from remoe_functions.main.sequence import Sequence
from remoe_planner.prompt_vector import prompt_vector

MAX_PENDING = 256
_log = logging.getLogger(__name__)


class Recorder:
    """Hands finished sequences to the history writer; drops them when the disk cannot follow.

    Attributes:
        dropped: sequences that found the queue full.
    """

    def __init__(self, writer: HistoryWriter, embeddings: NDArray[Any], history: Path) -> None:
        """Start the thread.

        Args:
            writer: keeps the records.
            embeddings: [vocabulary, hidden], bfloat16 as its bits in uint16.
            history: the writer's folder, where the salt of the prompts' fingerprints is.
        """
        self.dropped = 0
        self._writer = writer
        self._embeddings = embeddings
        self._history = history
        self._salt: bytes | None = None
        self._pending: queue.Queue[Callable[[], None] | None] = queue.Queue(MAX_PENDING)
        self._thread = threading.Thread(target=self._run, name="history", daemon=True)
        self._thread.start()

    def record(self, sequence: Sequence) -> None:
        """Queue a sequence that finished; never blocks."""
        # One that was ended before its first token has nothing to teach.
        if sequence.finish is None or sequence.prefilling:
            return
        try:
            self._pending.put_nowait(lambda: self._write(sequence))
        except queue.Full:
            self.dropped += 1

    def close(self, timeout_seconds: float) -> None:
        """Write what is queued, end the thread and close the writer."""
        try:
            self._pending.put(None, timeout=timeout_seconds)
        except queue.Full:
            return
        self._thread.join(timeout_seconds)
        self._writer.close(timeout_seconds)

    def _run(self) -> None:
        while (job := self._pending.get()) is not None:
            try:
                job()
            except ValueError as error:  # a model of broken weights has vectors that are no numbers
                self.dropped += 1
                _log.warning("history: a request is not recorded: %s", error)

    def _fingerprint(self, tokens: tuple[int, ...]) -> int | None:
        """What tells the prompt from others; None while the disk refuses a salt."""
        try:
            self._salt = self._salt or read_or_make_salt(self._history)
        except OSError as error:
            _log.debug("history: no salt: %s", error)
            return None
        return fingerprint(self._salt, tokens)

    def _write(self, sequence: Sequence) -> None:
        request = sequence.request
        self._writer.append(
            HistoryRecord(
                # What an earlier attempt generated was prefilled here, so it counts as prompt.
                prompt_tokens=len(request.prompt) + len(request.generated),
                decode_tokens=sequence.generated - len(request.generated) - 1,
                vector=prompt_vector(self._embeddings, request.prompt).astype(np.float32),
                prefill=sequence.account.prefill,
                decode=sequence.account.decode,
                fingerprint=self._fingerprint((*request.prompt, *request.generated)),
                recorded_at=time.time(),
            )
        )
