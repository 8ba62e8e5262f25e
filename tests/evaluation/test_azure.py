"""The trace's requests keep their order, their lengths, and the ratio of their pauses."""

import numpy as np
import pytest
from evaluation.azure import DAY_SECONDS, FILE, read_arrivals, read_day, steady

ROWS = """TIMESTAMP,ContextTokens,GeneratedTokens
2023-11-16 18:00:00.5000000,4808,10
2023-11-16 18:00:01.0000000,3180,8
2023-11-16 18:00:20.5000000,110,27
2023-11-16 18:00:10.5000001,7433,14
2023-11-16 18:10:00.5000000,40,1
"""


@pytest.fixture
def data(tmp_path):
    (tmp_path / FILE).write_text(ROWS)
    return tmp_path


def test_requests_are_read_in_order_of_time(data):
    made = read_arrivals(data)
    assert made.seconds == pytest.approx([0, 0.5, 10.0000001, 20, 600])
    assert made.prompt_tokens.tolist() == [4808, 3180, 7433, 110, 40]
    assert made.output_tokens.tolist() == [10, 8, 14, 27, 1]
    assert made.said == "Azure 2023 code: 5 requests of 10 minutes"


def test_a_day_is_the_trace_with_every_pause_as_many_times_longer(data):
    day, trace = read_day(data), read_arrivals(data)
    assert day.seconds[-1] == pytest.approx(DAY_SECONDS)
    assert np.diff(day.seconds) == pytest.approx(144 * np.diff(trace.seconds))
    assert day.said.endswith("every pause 144 times as long")


def test_a_part_of_the_day_is_its_beginning(data):
    day, part = read_day(data), read_day(data, limit=3)
    assert (part.seconds == day.seconds[:3]).all()
    assert part.said != day.said
    assert len(read_day(data, limit=99)) == 5


def test_thinned_every_so_many_come_at_their_true_time(data):
    made = read_day(data, stretch=1, every=2)
    assert made.seconds == pytest.approx([0, 10.0000001, 600])
    assert made.prompt_tokens.tolist() == [4808, 7433, 40]
    assert made.said.endswith("one in 2")


@pytest.mark.parametrize(
    ("knobs", "message"),
    [({"stretch": 0}, "stretch must be > 0, got 0"), ({"every": 0}, "every must be >= 1, got 0")],
)
def test_what_makes_no_day_is_refused(data, knobs, message):
    with pytest.raises(ValueError, match=message):
        read_day(data, **knobs)


def test_requests_of_one_length_come_evenly():
    made = steady(3, prompt_tokens=700, output_tokens=100, seconds_apart=60)
    assert made.seconds.tolist() == [0, 60, 120]
    assert made.prompt_tokens.tolist() == [700] * 3
    assert made.said == "3 requests of 700:100 tokens, 60 s apart"
