"""A placement at the rate that is expected: its load, and requests at it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from remoe_planner.estimate import LoadEstimate
from remoe_planner.estimating.decoding import FRONT_DOOR, LINE, OTHERS, Step
from remoe_planner.estimating.given import Given
from remoe_planner.estimating.placed import Floats, Placed
from remoe_planner.estimating.step_curve import StepCurve
from remoe_planner.offerings import Offerings
from remoe_planner.queueing.company import Company
from remoe_planner.queueing.stream import Stream


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Loading:
    """What the other requests do to one.

    Attributes:
        stream: the requests.
        replicas: of the main model.
        most_replicas: that there may be.
        hold_seconds: of a main model whose steps are full.
        company: at one replica.
        first: the first token, its wait in line included.
        step: a further token, in company.
        late_step_seconds: by which company makes a token later at the percentile.
        function_seconds: [functions], of work for a request, steps being full.
    """

    stream: Stream
    replicas: int
    most_replicas: int
    hold_seconds: float
    company: Company
    first: Step
    step: Step
    late_step_seconds: float
    function_seconds: Floats

    @classmethod
    def of(
        cls, first: Step, steps: StepCurve, given: Given, offerings: Offerings, *, percentile: float
    ) -> Self:
        """The load of a placement.

        Args:
            first: a typical prompt with nobody else there.
            steps: decode steps by their rows.
            given: the workload on a machine.
            offerings: how many requests and main models there may be.
            percentile: of the requests, 0 to 1.
        """
        work, chunk = given.workload, given.profile.prefill_chunk
        stream = Stream.of(work, prefill_chunk=chunk, max_batch=offerings.max_batch)
        prefill = np.array([first.seconds - first.terms[FRONT_DOOR]])
        seconds = steps.seconds(stream.rows)
        hold = stream.hold_seconds(prefill, seconds[-1:])
        replicas = stream.replicas(hold, offerings.main_replicas)
        company = Company.of(
            stream, prefill, seconds[:, None], replicas=replicas, percentile=percentile
        )
        late = np.array([work.concurrency, float(company.late_rows[0])])
        alone, late_step = steps.seconds(late)
        own = work.output_tokens / stream.most_rows
        return cls(
            function_seconds=first.busy_seconds + own * steps.at(stream.most_rows).busy_seconds,
            stream=stream,
            replicas=int(replicas[0]),
            most_replicas=offerings.main_replicas,
            hold_seconds=float(hold[0]),
            company=company,
            first=first.longer(LINE, float(company.line_seconds[0])),
            step=steps.at(float(company.rows[0])).longer(OTHERS, float(company.prompts_seconds[0])),
            late_step_seconds=float(late_step - alone + company.late_prompts_seconds[0]),
        )

    @property
    def late_line_seconds(self) -> float:
        """By which company makes the first token later at the percentile."""
        return float(self.company.late_line_seconds[0])

    def told(self, placed: Placed) -> LoadEstimate:
        """For people; of this placement."""
        rate = self.stream.rate
        busy = rate * self.function_seconds / np.maximum(placed.replicas, 1)
        return LoadEstimate(
            share=rate * self.hold_seconds / self.most_replicas,
            requests_per_second=rate,
            hold_seconds=self.hold_seconds,
            most_requests_per_second=self.most_replicas / self.hold_seconds,
            replicas=self.replicas,
            most_replicas=self.most_replicas,
            rows=max(float(self.company.rows[0]), 1.0),
            rows_at_percentile=float(self.company.late_rows[0]),
            line_seconds=float(self.company.line_seconds[0]),
            line_at_percentile_seconds=self.late_line_seconds,
            token_at_percentile_seconds=self.late_step_seconds,
            function_share=float(busy.max(initial=0.0)),
        )
