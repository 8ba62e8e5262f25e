"""The clock is set while answers are streamed: an hour ahead, and two hours back."""

import contextlib
import time

import pytest
from e2e.chaos.clocks import Clocks

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.timeout(900)]
SHIFT_SECONDS = 3600
ANSWERED_SECONDS = 120


@pytest.fixture
def clocks(parts):
    with contextlib.closing(Clocks(parts)) as clocks:
        yield clocks


@pytest.mark.parametrize("shift", [SHIFT_SECONDS, -SHIFT_SECONDS], ids=["ahead", "back"])
def test_clock_jumps(table, clocks, parts, load, shift):
    with table.fault(f"clocks of all pods: {shift / 3600:+.0f} h", load) as fault:
        clocks.shift(shift)
        load.wait_answered(ANSWERED_SECONDS)
        for part in ("main", "gateway"):
            assert abs(clocks.read(part) - time.time() - shift) < SHIFT_SECONDS / 10
        fault.over()
        fault.heals(parts.well, "all is well", state=parts.describe)
    fault.nothing_lost()
