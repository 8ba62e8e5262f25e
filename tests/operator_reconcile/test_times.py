"""Moments as the API server writes them."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import pytest

from remoe_operator.reconcile.times import read, seconds_since, written

NOW = datetime(2026, 1, 31, 12, 0, 0, tzinfo=UTC)


def test_what_is_written_is_read():
    assert written(NOW) == "2026-01-31T12:00:00Z"
    assert read(written(NOW)) == NOW


@pytest.mark.parametrize("text", [None, "", "yesterday"])
def test_text_that_is_no_moment_is_none(text):
    assert seconds_since(text, NOW) is None


def test_moment_that_is_yet_to_come_is_long_ago():
    assert seconds_since(written(NOW - timedelta(seconds=5)), NOW) == pytest.approx(5)
    assert seconds_since(written(NOW + timedelta(seconds=5)), NOW) == pytest.approx(-5)
    assert seconds_since(written(NOW + timedelta(hours=1)), NOW) == math.inf
