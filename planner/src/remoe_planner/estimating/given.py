"""What estimates of all placements share, so that trying many of them computes it once."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_array

from remoe_planner.demand.routing import Routing
from remoe_planner.demand.workload import Workload
from remoe_planner.estimating.placed import Floats
from remoe_planner.hardware.profile import HardwareProfile
from remoe_planner.latency.expert_work import ExpertWork
from remoe_planner.latency.picks import odds_powers
from remoe_planner.latency.prefill import chunk_expert_rows, hit_and_rows

_MOST_SAMPLES = 64
_CERTAIN = 1 - 1e-12


class Work:
    """Rows at every expert, wherever that is.

    Attributes:
        rows: [layers, experts], expected.
    """

    def __init__(self, profile: HardwareProfile, rows: Floats, tokens: int) -> None:
        self._profile, self._tokens = profile, tokens
        self.rows = rows

    @cached_property
    def local(self) -> Floats:
        """[layers, experts], seconds beside the main model."""
        hit, given = self._hits
        cores = self._profile.main_cores
        one = self._profile.local_expert.near(cores).seconds(given, cores)
        return np.asarray(hit * one)

    @cached_property
    def remote(self) -> ExpertWork:
        """In functions."""
        return ExpertWork.of(self._profile.remote_expert, *self._hits)

    @cached_property
    def _hits(self) -> tuple[Floats, Floats]:
        # Of one token an expert has one row or none.
        if self._tokens == 1:
            return np.minimum(self.rows, _CERTAIN), np.ones(())
        return hit_and_rows(self.rows, self._tokens)


class PromptWork(Work):
    """What a prompt of one length asks of every expert.

    Attributes:
        tokens: of the prompt.
        chunk_tokens: of a full chunk.
        chunks: full chunks, a rest as a share of one; rows are of one chunk.
    """

    def __init__(self, profile: HardwareProfile, visits: Floats, tokens: int) -> None:
        rows, self.chunks = chunk_expert_rows(visits, tokens, profile.prefill_chunk)
        self.chunk_tokens = min(tokens, profile.prefill_chunk)
        super().__init__(profile, rows, self.chunk_tokens)
        self._visits = visits
        self.tokens = tokens

    @cached_property
    def hit(self) -> Floats:
        """[layers, experts], the chance that the whole prompt needs each."""
        return np.asarray(-np.expm1(-float(self.tokens) * self._visits))


class StepWork(Work):
    """What a decode step of so many requests asks of every expert.

    Attributes:
        requests: decoded together.
    """

    def __init__(self, profile: HardwareProfile, visits: Floats, requests: int) -> None:
        super().__init__(profile, visits * float(requests), requests)
        self.requests = requests


def step_works(profile: HardwareProfile, visits: Floats, concurrency: float) -> list[StepWork]:
    """Of the whole numbers of requests on both sides of a mean; one where it is whole."""
    few = math.floor(concurrency)
    several = (few,) if few == concurrency else (few, few + 1)
    return [StepWork(profile, visits, requests) for requests in several]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Samples:
    """A bounded number of recorded requests, spread evenly over all.

    Attributes:
        counts: float32 [layers, experts, samples], assignments; exact up to 16 million.
        tokens: [samples], of each of them.
    """

    counts: NDArray[np.float32]
    tokens: Floats

    @classmethod
    def of(cls, routing: Routing) -> Samples:
        """The first of every few in a row."""
        counts, tokens = routing.by_expert(_MOST_SAMPLES)
        return cls(counts=counts, tokens=tokens)

    def by_group(self, groups: NDArray[np.intp], count: int) -> NDArray[np.float32]:
        """Sums [count, samples] over groups of experts, numbered from 0, int [layers, experts]."""
        experts = groups.size
        # Every expert is in one group: the sum is a product with a matrix of ones and zeros.
        among = csc_array(
            (np.ones(experts, np.float32), groups.ravel(), np.arange(experts + 1)),
            shape=(count, experts),
        )
        return np.asarray(among @ self.counts.reshape(experts, len(self.tokens)), np.float32)


class Given:
    """One workload on one machine.

    Attributes:
        routing: how tokens spread over the experts.
        workload: the requests.
        profile: the machine.
        prompt_visits: [layers, experts], of one prompt token.
        visits: the same of a generated one.
    """

    def __init__(
        self, routing: Routing, workload: Workload, profile: HardwareProfile, top_k: int
    ) -> None:
        self.routing, self.workload, self.profile = routing, workload, profile
        self._top_k = top_k
        self._steps: dict[int, StepWork] = {}
        self.prompt_visits, self.visits = routing.visits(top_k)

    @cached_property
    def powers(self) -> Floats:
        """[layers, experts, top_k], powers of the odds that a generated token visits each."""
        return odds_powers(self.visits, self._top_k)

    @cached_property
    def typical(self) -> PromptWork:
        """Of a typical prompt."""
        return PromptWork(self.profile, self.prompt_visits, self.workload.prompt_tokens)

    @cached_property
    def longest(self) -> PromptWork:
        """Of the longest prompt."""
        if self.workload.max_prompt_tokens == self.workload.prompt_tokens:
            return self.typical
        return PromptWork(self.profile, self.prompt_visits, self.workload.max_prompt_tokens)

    @cached_property
    def steps(self) -> list[StepWork]:
        """Of decode steps of as many requests as are stated to be together."""
        few = math.floor(self.workload.concurrency)
        several = (few,) if few == self.workload.concurrency else (few, few + 1)
        return [self.step(rows) for rows in several]

    def step(self, rows: int) -> StepWork:
        """Of a decode step of so many requests."""
        if rows not in self._steps:
            self._steps[rows] = StepWork(self.profile, self.visits, rows)
        return self._steps[rows]

    @cached_property
    def samples(self) -> Samples:
        """Recorded requests."""
        return Samples.of(self.routing)

    @cached_property
    def touches(self) -> Floats:
        """[layers, experts], touches that independent draws expect of a typical request."""
        prompt, step = (
            -np.log1p(-np.minimum(visits, _CERTAIN)) for visits in (self.prompt_visits, self.visits)
        )
        return np.asarray(self.workload.prompt_tokens * prompt + self.workload.output_tokens * step)
