"""What cannot be simulated is refused, with the field and what is allowed."""

import pytest
from builders.estimating_world import architecture
from builders.simulated_days import contender, request

from remoe_simulator.simulate import simulate


@pytest.mark.parametrize(
    ("requests", "says"),
    [
        ([request("a", 2.0), request("b", 1.0)], "arrivals must ascend, got 1.0 after 2.0"),
        ([request("a"), request("a", 1.0)], "names must be unique"),
        ([request(model=architecture(layers=3))], r"chunk_rows must be \[chunks, 4, 8\]"),
        ([request(model=architecture(top_k=1))], r"answer_picks must be \[steps, 4, 2\]"),
    ],
)
def test_requests_that_make_no_day_are_refused(requests, says):
    with pytest.raises(ValueError, match=says):
        simulate(contender(), requests)


def test_knobs_out_of_bounds_are_refused():
    with pytest.raises(ValueError, match="max_running must be >= 1, got 0"):
        simulate(contender(), [], max_running=0)
    with pytest.raises(ValueError, match="horizon_seconds must be >= 0, got -1"):
        simulate(contender(), [], horizon_seconds=-1)
