"""What section 2 makes of what it saw: arrivals on paper, rows of experts, phases, shares."""

import numpy as np
import pytest
from evaluation.measured_cold_start import cold_rows
from evaluation.measured_run import EVERYTHING, FUNCTIONS
from evaluation.measured_simulated import Rerun, rows_of
from evaluation.measured_tables import MOST_SAMPLES, same_answers, timeline_rows

PHASES = {"process": 0.2, "imports": 1.0, "weights": 0.5}


def run_of(*requests, starts=(), samples=0):
    return {
        "name": "ours",
        "began": 100.0,
        "seconds": 50.0,
        "requests": list(requests),
        "starts": {str(n): start for n, start in enumerate(starts)},
        "timeline": [{"at": 100.0 + n, "memory_bytes": n} for n in range(samples)],
    }


def asked(number, sent_at, elapsed, *, rested=None, ttft=1.0, text="yes"):
    return {
        "request": number,
        "sent_at": sent_at,
        "elapsed_seconds": elapsed,
        "ttft_seconds": ttft,
        "rested": rested,
        "text": text,
    }


def test_arrivals_keep_rests_and_follow_answers_that_take_another_time():
    rerun = Rerun.of(run_of(asked(0, 10.0, 4.0), asked(1, 14.5, 4.0), asked(2, 30.0, 4.0)))
    assert np.diff(rerun.arrivals(np.array([4.0, 4.0, 4.0]))) == pytest.approx([4.5, 15.5])
    assert np.diff(rerun.arrivals(np.array([2.0, 6.0, 6.0]))) == pytest.approx([2.5, 17.5])


def test_no_request_on_paper_comes_before_the_answer_to_the_one_before():
    rerun = Rerun.of(run_of(asked(0, 10.0, 4.0), asked(1, 13.9, 4.0)))
    assert np.diff(rerun.arrivals(np.array([3.0, 3.0])))[0] > 3.0


def test_every_pick_of_every_token_is_a_row_at_its_expert():
    experts = np.array([[[0, 1], [2, 3]], [[0, 2], [2, 1]]], np.uint8)
    found = rows_of(experts, (2, 4))
    assert found.tolist() == [[2, 1, 1, 0], [0, 1, 2, 1]]


def test_phases_of_a_cold_start_add_up_to_the_time_to_first_token():
    main = {"kind": "main", "phases": PHASES}
    run = run_of(asked(0, 100.0, 9.0, rested=EVERYTHING, ttft=2.5), starts=[main])
    rows = list(cold_rows(run))
    assert {row["situation"] for row in rows} == {EVERYTHING}
    assert sum(row["seconds"] for row in rows) == pytest.approx(2.5)


def test_without_functions_there_is_no_row_of_sleeping_functions():
    main = {"kind": "main", "phases": PHASES}
    run = run_of(asked(0, 100.0, 9.0, rested=FUNCTIONS, ttft=2.5), starts=[main])
    assert not list(cold_rows(run))


def test_a_long_timeline_is_thinned_and_begins_at_the_first_question():
    rows = list(timeline_rows(run_of(samples=3 * MOST_SAMPLES + 1)))
    assert len(rows) <= MOST_SAMPLES
    assert rows[0]["at_seconds"] == 0.0


def test_answers_are_compared_by_prompt_with_the_first_contender_s():
    first = run_of(asked(0, 0.0, 1.0, text="a"), asked(1, 1.0, 1.0, text="b"))
    other = run_of(asked(1, 0.0, 1.0, text="b")) | {"name": "other"}
    assert same_answers([first, other]) == {
        "other": "1 of 1 answers are word for word those of ours."
    }
