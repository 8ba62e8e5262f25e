"""A request within the engine: how far it is, and what it has used."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Self
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from remoe_planner.plan import Plan
from remoe_planner.prices import Prices
from remoe_simulator.day import Served
from remoe_simulator.layout import Layout, Places
from remoe_simulator.simulated_request import SimulatedRequest
from remoe_simulator.use import Use


@dataclass(slots=True, kw_only=True, eq=False)
class Sequence:
    """One request on its way.

    Attributes:
        request: it.
        places: [steps, picks], the experts of its decode steps.
        luck: [passes], standard normals: how its calls turn out, whoever is served beside it.
        read: [places], experts of sleeping functions whose weights it has had read.
        used: [functions + 1], those that worked for it.
        found_main_asleep: whether it waited for the main model's start.
        chunks: of its prompt that are done.
        steps: of its answer that are done.
        cached: tokens it has behind it.
        use: its share of passes.
        borrowed: experts of sleeping functions that the main model computed for it.
        first_token_seconds: when its first token was there.
        finished_seconds: when its latest one was.
    """

    request: SimulatedRequest
    places: Places
    luck: NDArray[np.float64]
    read: NDArray[np.bool_]
    used: NDArray[np.bool_]
    found_main_asleep: bool = False
    chunks: int = 0
    steps: int = 0
    cached: int = 0
    use: Use = field(default_factory=Use)
    borrowed: int = 0
    first_token_seconds: float = field(default=float("nan"))
    finished_seconds: float = field(default=float("nan"))

    @classmethod
    def of(
        cls, request: SimulatedRequest, layout: Layout, *, seed: int, functions: int, waited: bool
    ) -> Self:
        """A request that comes in; chance is drawn from its name and the day's seed alone."""
        chance = np.random.default_rng((seed, crc32(request.name.encode())))
        return cls(
            request=request,
            places=layout.places_of(request.answer_picks),
            luck=chance.standard_normal(len(request.chunk_tokens) + request.steps),
            read=np.zeros(len(layout.place_of), bool),
            used=np.zeros(functions + 1, bool),
            found_main_asleep=waited,
        )

    @property
    def prefilling(self) -> bool:
        return self.chunks < len(self.request.chunk_tokens)

    @property
    def finished(self) -> bool:
        return not self.prefilling and self.steps == self.request.steps

    @property
    def fortune(self) -> float:
        """Its luck in the pass that comes next."""
        return float(self.luck[self.chunks + self.steps])

    def after_chunk(self, now: float) -> None:
        """One more chunk of its prompt is done; the last one gives the first token."""
        self.cached += self.request.chunk_tokens[self.chunks]
        self.chunks += 1
        self.first_token_seconds = self.finished_seconds = now

    def after_step(self, now: float) -> None:
        """One more token of its answer is there."""
        self.cached += 1
        self.steps += 1
        self.finished_seconds = now

    def borrow(self, places: NDArray[np.intp]) -> None:
        """The main model computes these experts in the place of functions."""
        self.read[places] = True
        own = places if self.prefilling else np.intersect1d(self.places[self.steps], places)
        self.borrowed += len(own)

    def served(self, plan: Plan, prices: Prices) -> Served:
        """What came of it."""
        request = self.request
        return Served(
            name=request.name,
            arrival_seconds=request.arrival_seconds,
            first_token_seconds=self.first_token_seconds,
            finished_seconds=self.finished_seconds,
            prompt_tokens=request.prompt_tokens,
            output_tokens=request.output_tokens,
            found_main_asleep=self.found_main_asleep,
            borrowed_experts=self.borrowed,
            busy=self.use.bill(plan, prices),
        )
