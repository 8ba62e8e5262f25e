"""How a decode step grows with its rows, told for all candidates by what is the same for all.

Candidates are worked out for one request alone (or as many as are stated to be together) and for
as many as there can be. In between, what is no expert's is known, and experts' seconds grow as
those of a main model with all experts do: rows share the reading of weights alike everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike

from remoe_planner.architecture import Architecture
from remoe_planner.estimating.given import Given
from remoe_planner.estimating.placed import Floats
from remoe_planner.estimating.step_curve import knots
from remoe_planner.hardware.profile import HardwareProfile
from remoe_planner.queueing.stream import Stream


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rows:
    """The numbers of rows that a step can have.

    Attributes:
        full: rows of the fullest step, as candidates are worked out for it.
        beside: [n], seconds of steps with a stream's rows beside their experts.
        beside_ends: the same of the step for one request, and of the fullest.
        grown: [n], from 0 to 1, how far experts' seconds have grown from one to the other.
    """

    full: int
    beside: Floats
    beside_ends: tuple[float, float]
    grown: Floats

    @classmethod
    def of(cls, given: Given, stream: Stream, architecture: Architecture) -> Self:
        """Under a workload on a machine."""
        work, layers = given.workload, len(architecture.layers)
        known = knots(work, int(np.ceil(stream.most_rows)))
        rows = np.maximum(stream.rows, work.concurrency)
        experts = np.array([float(given.step(count).local.sum()) for count in known])
        least, most = np.interp([work.concurrency, known[-1]], known, experts)
        context = work.prompt_tokens + work.output_tokens / 2
        first, last = beside_experts(
            given.profile, layers, [work.concurrency, known[-1]], context
        ).tolist()
        return cls(
            full=known[-1],
            beside=beside_experts(given.profile, layers, rows, context),
            beside_ends=(first, last),
            grown=(np.interp(rows, known, experts) - least) / max(most - least, TINY),
        )

    def steps(self, ends: Floats) -> Floats:
        """[n, candidates], seconds of steps with a stream's rows, of those at both ends."""
        few, many = ends[0] - self.beside_ends[0], ends[1] - self.beside_ends[1]
        return np.asarray(self.beside[:, None] + few + self.grown[:, None] * (many - few))


def beside_experts(
    profile: HardwareProfile, layers: int, rows: ArrayLike, context_tokens: float
) -> Floats:
    """[n], seconds of steps with these rows, means, beside their experts."""
    wanted = np.asarray(rows, np.float64)
    few = np.floor(wanted)
    share = wanted - few

    def of(count: Floats) -> Floats:
        own = profile.module.at(count) + 2 * profile.handover.at(count)
        attended = count * context_tokens * profile.context_seconds
        return np.asarray(layers * (own + attended) + profile.step.at(count))

    return np.asarray((1 - share) * of(few) + share * of(few + 1))


TINY = 1e-300
