"""One request's forecasts, from its arrival to its account; never in its way.

1. foretell each of its prompts, and begin to wake the functions they need
2. when main tells where a prompt went: update the answer's forecast, wake what it needs
3. judge the forecast, and learn from the prompt
4. when main tells where the answer went: judge the updated forecast

Whatever goes wrong here is logged and forgotten; the request is served without a forecast.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any

from remoe_functions.gateway.forecast_upkeep import Forecasting
from remoe_functions.gateway.forecasting import Foretold
from remoe_functions.gateway.function_waking import FunctionWaker, WakeRecord
from remoe_functions.gateway.job import Job
from remoe_functions.gateway.metrics import ModelMetrics
from remoe_functions.gateway.reported_routing import NotUnderstood, PrefillReport, counts_in
from remoe_planner.divergence import jensen_shannon
from remoe_planner.fast_loop.demand import Phase
from remoe_planner.forecasting.outlook import distribution

_logger = logging.getLogger(__name__)
Tokens = tuple[int, ...]

# Forecasts take milliseconds; a request does not wait longer for a word about them.
_SETTLE_SECONDS = 0.2


class Foresight:
    """Belongs to one event loop."""

    def __init__(
        self,
        jobs: Sequence[Job],
        *,
        forecasting: Forecasting,
        waker: FunctionWaker,
        metrics: ModelMetrics,
    ) -> None:
        self._forecasting = forecasting
        self._waker = waker
        self._metrics = metrics
        self._wanted = {job.prompt: job.max_tokens for job in jobs}
        self._told: dict[Tokens, Foretold] = {}
        self._foretelling: dict[Tokens, asyncio.Task[None]] = {}
        self._divergence: dict[Tokens, float] = {}
        self._functions: dict[str, None] = {}
        self._wakes: dict[Tokens, list[WakeRecord]] = {}
        self._known = False
        self._reported: set[Tokens] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def functions(self) -> tuple[str, ...] | None:
        """Functions forecast so far, over all prompts; None where nothing was known."""
        return tuple(self._functions) if self._known else None

    @property
    def summary(self) -> dict[str, Any] | None:
        """What the first prompt's forecast rested on and how it turned out; None without one."""
        if not self._told:
            return None
        prompt, told = next(iter(self._told.items()))
        return {
            "basis": str(told.outlook.basis),
            "known_tokens": _rounded(told.outlook.known),
            "expected_divergence": _rounded(told.expected),
            "divergence": _rounded(self._divergence.get(prompt)),
            "answer_basis": str(told.answer.basis),
        }

    def begin(self) -> None:
        """Foretell every prompt, beside the request."""
        self._forecasting.request_came()
        for prompt, max_tokens in self._wanted.items():
            self._foretelling[prompt] = self._spawn(self._foretell(prompt, max_tokens))

    def prefilled(self, prompt: Tokens, body: object) -> None:
        """Main told where a prompt went; only the first time counts."""
        if prompt in self._wanted and prompt not in self._reported:
            self._reported.add(prompt)
            self._spawn(self._update(prompt, body))

    def answered(self, prompt: Tokens, usage: Mapping[str, Any] | None) -> None:
        """Main told where an answer went: judge what was expected of it, and what was woken."""
        if usage:
            self._waker.judge(self._wakes.get(prompt, ()), usage)
        told = self._told.get(prompt)
        if told is None or prompt not in self._divergence or not usage or "decode" not in usage:
            return
        try:
            counts = counts_in(usage["decode"], self._forecasting.forecast.shape)
        except NotUnderstood as error:
            _logger.warning("main's account of an answer's routing: %s", error)
            return
        if counts.any():
            divergence = jensen_shannon(told.answer.frequencies, distribution(counts))
            self._metrics.answer_divergence.observe(divergence)

    async def settled(self) -> None:
        """Wait a moment for what is under way, so that the summary can tell of it."""
        if self._tasks:
            await asyncio.wait(tuple(self._tasks), timeout=_SETTLE_SECONDS)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(_quietly(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _foretell(self, prompt: Tokens, max_tokens: int) -> None:
        began = time.perf_counter()
        told = await self._forecasting.apart(
            self._forecasting.forecast.foretell, prompt, max_tokens
        )
        self._metrics.forecast_seconds.observe(time.perf_counter() - began)
        self._metrics.foretold(str(told.outlook.basis))
        self._told[prompt] = told
        self._wake(told, prompt_tokens=len(prompt))

    async def _update(self, prompt: Tokens, body: object) -> None:
        report = await self._forecasting.apart(
            PrefillReport.read, body, self._forecasting.forecast.shape
        )
        if (foretelling := self._foretelling.get(prompt)) is not None:
            await asyncio.wait({foretelling})  # main may be faster on a short prompt
        told = self._told.get(prompt)
        if told is not None:
            updated = await self._forecasting.apart(
                self._forecasting.forecast.after_prefill, told, report
            )
            self._told[prompt] = updated
            self._wake(updated, prompt_tokens=0)
            score = await self._forecasting.apart(self._forecasting.forecast.score, told, report)
            self._divergence[prompt] = score.divergence
            self._forecasting.judged(score)
        self._forecasting.learn(prompt, report.experts)

    def _wake(self, told: Foretold, *, prompt_tokens: int) -> None:
        if told.functions is None:
            return
        self._known = True
        self._functions.update(dict.fromkeys(told.functions))
        record = self._waker.wake_for(
            prompt=Phase(frequencies=told.outlook.frequencies, tokens=prompt_tokens),
            answer=Phase(frequencies=told.answer.frequencies, tokens=told.answer_tokens),
        )
        self._wakes.setdefault(told.prompt, []).append(record)


async def _quietly(work: Coroutine[Any, Any, None]) -> None:
    try:
        await work
    except NotUnderstood as error:
        _logger.warning("main's account of a prompt's routing: %s", error)
    except Exception:
        _logger.exception("no forecast for a prompt")


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
