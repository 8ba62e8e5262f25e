"""When to fit anew, and the process that does it. No request waits for a fit, or fails with one.

A fit takes seconds to minutes of one core, so it runs in a process of its own, niced, on one
thread, and rests ten times as long as it worked while requests are served.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from zipfile import BadZipFile

from numpy.typing import NDArray

from remoe_functions.gateway.fit_process import packed_job, unpacked
from remoe_functions.gateway.learner import Learner

_logger = logging.getLogger(__name__)
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


class FitFailed(Exception):  # noqa: N818 - the name says what happened
    """The fit gave no model; the present one stays."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FitSchedule:
    """When a fit is due.

    Attributes:
        least_prompts: recent prompts and new ones that a fit is worth.
        grown: share of the recent prompts that must be new.
        rest: times as long as the last fit took, until the next one while requests come.
        quiet_seconds: after so long without a request there is no rest.
        timeout_seconds: the longest a fit may take.
        retry_seconds: after a fit that failed, until the next.
    """

    least_prompts: int = 16
    grown: float = 0.1
    rest: float = 10.0
    quiet_seconds: float = 5.0
    timeout_seconds: float = 1_800.0
    retry_seconds: float = 120.0

    def is_worth(self, learner: Learner) -> bool:
        """Whether enough is new, and the fit would not rest on far fewer prompts than the last.

        After a restart the recent prompts are gone and the last fit is not: it stays until half
        as many prompts have come again.
        """
        most = learner.recent
        needed = max(self.least_prompts, self.grown * most)
        return most >= max(self.least_prompts, learner.fitted_on / 2) and learner.unfitted >= needed


class Fitter:
    """Keeps one learner's model fresh. Belongs to one event loop.

    Attributes:
        seconds: how long the last fit took; None before the first.
    """

    def __init__(self, learner: Learner, schedule: FitSchedule | None = None) -> None:
        self.seconds: float | None = None
        self._learner = learner
        self._schedule = schedule or FitSchedule()
        self._ended = -float("inf")
        self._tried_again_at = -float("inf")

    def is_due(self, *, quiet_seconds: float) -> bool:
        """Whether to fit now, given how long ago the last request came."""
        now = time.monotonic()
        if now < self._tried_again_at:
            return False
        rested = now - self._ended
        resting = rested < self._schedule.rest * (self.seconds or 0.0)
        if resting and quiet_seconds < self._schedule.quiet_seconds:
            return False
        return self._schedule.is_worth(self._learner)

    async def fit(self) -> None:
        """Fit on the recent prompts and have the learner adopt the model.

        Raises:
            FitFailed: says why; what was known is still known.
            KeyError, ValueError: the model is none for this learner; the same.
        """
        learner, began = self._learner, time.monotonic()
        prompts, learned = learner.prompts_to_fit(), learner.learned
        try:
            job = await asyncio.to_thread(
                packed_job, learner.shape, learner.words, learner.key_salt, prompts
            )
            answer = await fit_apart(job, timeout_seconds=self._schedule.timeout_seconds)
            model = await asyncio.to_thread(_model_of, answer)
            learner.adopt(model, prompts=len(prompts), learned=learned)
        except (FitFailed, KeyError, ValueError):
            self._tried_again_at = time.monotonic() + self._schedule.retry_seconds
            raise
        finally:
            self._ended = time.monotonic()
            self.seconds = self._ended - began
        _logger.info("fitted the forecaster on %d prompts in %.1f s", len(prompts), self.seconds)


async def fit_apart(
    job: bytes, *, timeout_seconds: float, started: Callable[[int], None] | None = None
) -> bytes:
    """Run the fit's process; whatever happens, it is gone afterwards.

    Raises:
        FitFailed: it could not be started, was killed, failed, or took too long.
    """
    environment = {k: v for k, v in os.environ.items() if not k.startswith("REMOE_")}
    try:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "remoe_functions.gateway.fit_process"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=environment | dict.fromkeys(_THREADS, "1"),
        )
    except OSError as error:
        raise FitFailed(f"the fit cannot be started: {error}") from error
    if started is not None:
        started(process.pid)
    try:
        async with asyncio.timeout(timeout_seconds):
            answer, said = await process.communicate(job)
    except TimeoutError:
        raise FitFailed(f"the fit took longer than {timeout_seconds:g} s") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        last = said.decode("utf-8", "replace").strip().rpartition("\n")[2]
        raise FitFailed(f"the fit ended with {process.returncode}: {last[:500]}")
    return answer


def _model_of(answer: bytes) -> dict[str, NDArray[Any]]:
    try:
        return unpacked(answer)
    except (ValueError, OSError, EOFError, KeyError, BadZipFile) as error:
        raise FitFailed(f"the fit's answer cannot be read: {error}") from error
