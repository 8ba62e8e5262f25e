"""What placing experts needs to know of requests: how much each is used, and which together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from remoe_planner.estimating.placed import Floats
from remoe_planner.hardware.profile import HardwareProfile
from remoe_simulator.simulated_request import SimulatedRequest


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Habits:
    """Of some requests.

    Attributes:
        use: [layers, experts], seconds that the rows of each take beside the main model.
        meetings: [layers, experts, experts], decode steps that pick both.
    """

    use: Floats
    meetings: NDArray[np.float32]

    @classmethod
    def of(cls, requests: Sequence[SimulatedRequest], profile: HardwareProfile) -> Habits:
        """As they were served, or will be."""
        time = profile.local_expert.near(profile.main_cores)
        one = float(time.seconds(1.0, profile.main_cores))
        layers, experts = requests[0].chunk_rows.shape[1:]
        use = np.zeros((layers, experts))
        meetings = np.zeros((layers, experts, experts), np.float32)
        for request in requests:
            rows = request.chunk_rows.astype(np.float64)
            use += time.seconds(rows, profile.main_cores).sum(axis=0)
            use += one * request.answer_counts
            picked = np.zeros((layers, request.steps, experts), np.float32)
            places = request.answer_picks.astype(np.intp).transpose(1, 0, 2)
            np.put_along_axis(picked, places, 1.0, axis=2)
            meetings += picked.transpose(0, 2, 1) @ picked
        return cls(use=use, meetings=meetings)
