"""One request from admission to its bill.

1. admit it, and begin to wake the functions its prompt is forecast to need
2. hold it until main is ready
3. run its choices side by side, piece by piece
4. sum up, bill and count

HTTP, JSON and OpenAI's spelling are not known here.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass

from remoe_functions.gateway.account import Account
from remoe_functions.gateway.admission import Admission
from remoe_functions.gateway.draining import Drain
from remoe_functions.gateway.errors import GatewayError
from remoe_functions.gateway.foresight import Foresight
from remoe_functions.gateway.generation import Generation
from remoe_functions.gateway.job import Job
from remoe_functions.gateway.ledger import Ledger
from remoe_functions.gateway.model_service import ModelService
from remoe_functions.gateway.stopwatch import Stopwatch
from remoe_functions.gateway.summary import Summary
from remoe_functions.gateway.transcript import Piece, Transcript

_logger = logging.getLogger(__name__)

Emit = Callable[[int, Piece], Awaitable[None]]
"""Takes the next piece of the choice of that index; waits where the client is slow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """What all requests share: places, and the end of the gateway's life."""

    admission: Admission
    drain: Drain


class Completion:
    """A request that was checked and is ready to run, once."""

    def __init__(
        self,
        request_id: str,
        jobs: tuple[Job, ...],
        *,
        key: str,
        prompt_tokens: int,
        service: ModelService,
        house: House,
    ) -> None:
        self.request_id = request_id
        self.model = service.model
        self._jobs = jobs
        self._prompt_tokens = prompt_tokens
        self._service = service
        self._house = house
        self._watch = Stopwatch()
        self._foresight: Foresight | None = None
        self._ledger = Ledger(
            request_id, key=key, model=service.model.name, metrics=service.metrics
        )

    @property
    def choices(self) -> int:
        return len(self._jobs)

    async def run(self, emit: Emit) -> Summary:
        """Produce every choice's pieces, then the summary.

        Raises:
            GatewayError: refused, or failed; nothing more will be emitted.
        """
        outcome = "cancelled"
        try:
            with self._house.admission.admit(len(self._jobs)):
                async with self._house.drain.limit():
                    summary = await self._served(emit)
            outcome = "ok"
            self._ledger.close(summary)
            return summary
        except GatewayError as error:
            outcome = error.code or error.type
            raise
        finally:
            self._ledger.ended(outcome, self._watch)

    async def _served(self, emit: Emit) -> Summary:
        foresight = self._foresight = self._service.foresee(self._jobs)
        before = self._service.function_wakes()
        if foresight is not None:
            foresight.begin()
        await self._service.door.reach()
        self._watch.held()
        with self._service.metrics.running.track_inprogress():
            generations = await self._generate(emit)
        if foresight is not None:
            await foresight.settled()
        return self._summary(generations, self._service.woken_since(before))

    async def _generate(self, emit: Emit) -> list[tuple[Generation, Account]]:
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [
                    group.create_task(self._choice(index, job, emit))
                    for index, job in enumerate(self._jobs)
                ]
        except BaseExceptionGroup as errors:
            raise _first(errors) from errors
        return [task.result() for task in tasks]

    async def _choice(self, index: int, job: Job, emit: Emit) -> tuple[Generation, Account]:
        generation = self._service.generation(job, self._foresight)
        transcript = Transcript(
            self.model.tokenizer, stops=job.stops, stop_token_ids=job.stop_token_ids
        )
        began, latest = self._watch.elapsed_seconds, None
        async with aclosing(generation.tokens()) as lines:
            async for line in lines:
                now = self._watch.token()
                self._ledger.token(since_seconds=None if latest is None else now - latest)
                latest = now
                await _emit(emit, index, transcript.push(line))
                if transcript.stopped:
                    break
            wall_seconds = self._watch.elapsed_seconds - began
            if transcript.stopped:
                await generation.settle(lines)
        await emit(index, transcript.end(generation.finish or "stop"))
        self._ledger.choice(transcript.end_reason)
        if self._foresight is not None and not generation.resumed:
            self._foresight.answered(job.prompt, generation.usage)
        account = Account.of_choice(
            generation.usage, wall_seconds=wall_seconds, tokens=len(generation.generated)
        )
        return generation, account

    def _summary(
        self,
        choices: list[tuple[Generation, Account]],
        woken: tuple[str, ...],
    ) -> Summary:
        foresight = self._foresight
        account = Account.total(account for _, account in choices)
        return Summary(
            prompt_tokens=self._prompt_tokens,
            completion_tokens=account.tokens,
            account=account,
            bill=account.bill(self.model.plan, self._service.prices),
            ttft_seconds=self._watch.ttft_seconds,
            held_seconds=self._watch.held_seconds,
            elapsed_seconds=self._watch.elapsed_seconds,
            seconds_per_token=self._watch.seconds_per_token,
            functions_forecast=None if foresight is None else foresight.functions,
            forecast=None if foresight is None else foresight.summary,
            functions_woken=woken,
            resumed=sum(generation.resumed for generation, _ in choices),
        )


async def _emit(emit: Emit, index: int, piece: Piece) -> None:
    if not piece.is_empty:
        await emit(index, piece)


def _first(errors: BaseExceptionGroup) -> BaseException:
    """The error to tell of several choices' errors: one the client can understand, if any."""
    known = errors.subgroup(GatewayError)
    chosen = known if known is not None else errors
    first = chosen.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first
