"""A request while it is served: its tokens so far, its place, its clock and its account."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field

from remoe_functions.main.accounting import Account
from remoe_functions.main.request import Deliver, GenerateRequest, Prefilled, Token, Usage

REPORTED_TOKENS = 512
"""Of a long prompt the routing of so many last tokens is told; the counts are of all."""


@dataclass(slots=True)
class Sequence:
    """A request's life, in order: waiting, prefilling (`cached` grows), decoding, finished.

    Attributes:
        request: what was asked.
        deliver: where its events go.
        account: what it used.
        tokens: prompt and answer so far.
        cached: how many of `tokens` are in the key-value cache.
        cancelled: its caller has left; set from any thread.
        ended: its caller has enough of it and wants the account; set from any thread.
        finish: why it ended, once it has.
    """

    request: GenerateRequest
    deliver: Deliver
    account: Account
    tokens: list[int]
    cached: int = 0
    cancelled: bool = False
    ended: bool = False
    finish: str | None = None
    counts: Counter[int] = field(default_factory=Counter)
    arrived_at: float = field(default_factory=time.monotonic)
    admitted_at: float | None = None
    first_token_at: float | None = None
    last_token_at: float | None = None

    @classmethod
    def of(cls, request: GenerateRequest, deliver: Deliver, account: Account) -> Sequence:
        account.routing = [] if request.report_routing else None
        return cls(
            request=request,
            deliver=deliver,
            account=account,
            tokens=[*request.prompt, *request.generated],
            counts=Counter(request.generated),
        )

    def report_routing(self) -> None:
        """Tell where the prompt went, if asked and not told yet; the prompt must be computed."""
        if self.account.routing is None:
            return
        counts = self.account.prefill
        experts = self.account.take_routing(last=REPORTED_TOKENS)
        self.deliver(Prefilled(counts=counts, experts=experts))

    @property
    def unwanted(self) -> bool:
        """Whether its caller waits for no more tokens."""
        return self.cancelled or self.ended

    @property
    def prefilling(self) -> bool:
        """Whether more than the token just generated still has to be computed."""
        return self.first_token_at is None

    @property
    def generated(self) -> int:
        """Tokens generated so far, those of earlier attempts counted."""
        return len(self.tokens) - len(self.request.prompt)

    @property
    def pending(self) -> list[int]:
        """Tokens that are not in the cache yet."""
        return self.tokens[self.cached :]

    def accept(self, token: Token, end_tokens: frozenset[int], now: float) -> None:
        """Take the next token: deliver it, or end here if it is one that ends the answer."""
        self.tokens.append(token.token)
        self.counts[token.token] += 1
        self.first_token_at = self.first_token_at or now
        self.last_token_at = now
        ends = self.request.stop_token_ids | (
            frozenset() if self.request.ignore_eos else end_tokens
        )
        if token.token in ends:
            self.finish = "stop"
            return
        self.deliver(token)
        if self.generated >= self.request.max_tokens:
            self.finish = "length"

    def usage(self) -> Usage:
        """What it took so far."""
        admitted = self.admitted_at or self.arrived_at
        first = self.first_token_at or admitted
        return Usage(
            prompt_tokens=len(self.request.prompt),
            completion_tokens=self.generated,
            queue_seconds=admitted - self.arrived_at,
            prefill_seconds=first - admitted,
            decode_seconds=(self.last_token_at or first) - first,
            main_seconds=self.account.main_seconds,
            functions=self.account.use,
            layers=self.account.layers,
            decode=self.account.decode if self.request.report_routing else None,
        )
