"""One choice's tokens, carried over main's deaths and sleeps.

When main dies in the middle, the job is sent again with the tokens so far. Sampling noise
depends on the seed and the token's number alone, so the answer goes on as if nothing happened.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AsyncExitStack, aclosing, suppress
from typing import Any

from remoe_functions.gateway.errors import GatewayError, GenerationFailed, Overloaded
from remoe_functions.gateway.job import Job
from remoe_functions.gateway.main_client import Line, MainAway, MainClient, MainLost
from remoe_functions.gateway.metrics import ModelMetrics
from remoe_functions.gateway.patience import Patience
from remoe_functions.gateway.waking import MainAddress, MainDoor

_logger = logging.getLogger(__name__)

# What main is given to tell the account of a job that was ended early.
_SETTLE_SECONDS = 5.0


class Generation:
    """A job under way.

    Attributes:
        generated: the tokens so far, over all attempts.
        resumed: times the job was carried over to a main that came back.
        finish: why the answer ended ("stop", "length"); None while it has not.
        usage: main's account of the job; None where main never told.
    """

    def __init__(
        self,
        job: Job,
        *,
        door: MainDoor,
        client: MainClient,
        metrics: ModelMetrics,
        patience: Patience,
        on_prefilled: Callable[[tuple[int, ...], object], None] | None = None,
    ) -> None:
        """A job to run.

        Args:
            job: what to run.
            door: the way to a main that is ready.
            client: speaks to it.
            metrics: where resumed answers are counted.
            patience: how often and how long to try.
            on_prefilled: told the prompt and where main says it went, as often as main says it.
        """
        self._on_prefilled = on_prefilled
        self.job = job
        self.generated: list[int] = []
        self.resumed = 0
        self.finish: str | None = None
        self.usage: Mapping[str, Any] | None = None
        self._door = door
        self._client = client
        self._metrics = metrics
        self._patience = patience
        self._last_replica: str | None = None
        self._url: str | None = None
        self._settling = False

    async def tokens(self) -> AsyncGenerator[Line]:
        """Main's token lines in order, each once; afterwards `finish` is set.

        Raises:
            GatewayError: main refused the job, was not ready in time, or died too often.
        """
        while self.finish is None:
            try:
                async with aclosing(self._attempt()) as lines:
                    async for line in lines:
                        yield line
            except MainLost as error:
                if self._settling:
                    return
                self._lost(error)

    async def settle(self, lines: AsyncGenerator[Line]) -> None:
        """Have main end the job, and read the rest of `tokens` for its account; bounded.

        What main computed meanwhile is in the account, and no part of the answer.
        """
        shown = len(self.generated)
        self._settling = True
        with suppress(TimeoutError, MainAway, GatewayError):
            async with asyncio.timeout(_SETTLE_SECONDS):
                if self._url is not None:
                    await self._client.end(self._url, self.job)
                async for _ in lines:
                    pass
        del self.generated[shown:]
        if self.usage is not None:
            self.usage = {**self.usage, "completion_tokens": shown}

    async def _attempt(self) -> AsyncGenerator[Line]:
        async with AsyncExitStack() as stack:
            lines = await self._open(stack)
            async for line in lines:
                self.usage = line.get("usage", self.usage)
                if "prefill" in line:
                    self._told(line["prefill"])
                    continue
                if "finish" in line:
                    self.finish = line["finish"]
                    return
                self.generated.append(int(line["token"]))
                yield line

    def _told(self, body: object) -> None:
        # A resumed attempt computes the answer so far as prompt: that tells nothing of the prompt.
        if self._on_prefilled is not None and not self.resumed:
            self._on_prefilled(self.job.prompt, body)

    async def _open(self, stack: AsyncExitStack) -> AsyncGenerator[Line]:
        """Reach main and hand the job over; a main just put to sleep is woken and tried again.

        A full replica is no reason to refuse the job while there is one that was not asked.
        """
        attempts, full = self._patience.begin(), set[str]()
        while True:
            avoid = {*full, self._last_replica or ""}
            address = await self._door.reach(avoid=avoid, admitted=True)
            try:
                lines = await self._hand_over(address, stack)
            except MainAway as error:
                self._last_replica = address.replica_id
                attempts.check(f"the model cannot be reached: {error}")
                _logger.info("request %s: main is away: %s", self.job.request_id, error)
                continue
            except Overloaded:
                full.add(address.replica_id)
                if not self._door.has_another({*full, self._last_replica or ""}):
                    raise
                continue
            self._last_replica, self._url = address.replica_id, address.url
            return lines

    async def _hand_over(self, address: MainAddress, stack: AsyncExitStack) -> AsyncGenerator[Line]:
        """The lines of a main that took the job on; it has that much work until `stack` ends."""
        load = self._door.load
        async with AsyncExitStack() as trying:
            trying.enter_context(load.taking(address.replica_id))
            try:
                lines = await trying.enter_async_context(
                    self._client.generate(address.url, self.job, self.generated)
                )
            except MainAway:
                load.failed(address.replica_id)
                raise
            load.answered(address.replica_id)
            stack.push_async_exit(trying.pop_all())
            return lines

    def _lost(self, error: MainLost) -> None:
        """Take note of main's death; the next attempt goes on after the tokens so far."""
        if self._last_replica is not None:
            self._door.load.failed(self._last_replica)
        _logger.warning(
            "request %s: main was lost after %d tokens: %s",
            self.job.request_id,
            len(self.generated),
            error,
        )
        # The last line may be all that was lost.
        self.finish = self.job.is_over(self.generated)
        if self.finish is not None:
            return
        if self.resumed >= self._patience.max_resumes:
            raise GenerationFailed(
                f"the model died {self.resumed + 1} times on this request: {error}"
            ) from error
        self.resumed += 1
        self._metrics.resumes.inc()
