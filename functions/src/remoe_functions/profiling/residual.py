"""How well a profile says what it was made from: the first test of its honesty."""

from __future__ import annotations

from remoe_functions.profiling.typical import Typical
from remoe_planner.estimating.decoding import decode_step
from remoe_planner.estimating.demanded import picks_of
from remoe_planner.estimating.placed import Placed
from remoe_planner.hardware.profile import HardwareProfile
from remoe_planner.offerings import Offerings
from remoe_planner.plan import Plan


def step_ratio(profile: HardwareProfile, typical: Typical, plan: Plan, threads: int) -> float:
    """The model's decode step over the one that was seen, 1 where they agree.

    Args:
        profile: made from this session and others.
        typical: the session.
        plan: what it carried out.
        threads: of each function in it.
    """
    rows = min(typical.steps)
    seen = typical.steps[rows]
    its_threads = Offerings(cores_per_gib=_PLENTY, max_function_cores=threads)
    placed = Placed.of(plan, its_threads)
    visits = seen.decode / seen.steps
    step = decode_step(
        placed,
        profile.of_main(functions=placed.functions > 0),
        picks_of(placed, visits),
        visits,
        concurrency=1.0,
        context_tokens=rows + seen.steps / 2,
    )
    return step.seconds / (seen.decode_seconds / seen.steps)


_PLENTY = 1e6
