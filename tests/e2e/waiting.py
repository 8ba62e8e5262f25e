"""Waits that end: something is so, or a failure says what was waited for and how things stand."""

from __future__ import annotations

import time

import pytest

POLL_SECONDS = 0.25


def until(question, seconds, what, *, state=str):
    """The first true answer of `question()` within `seconds`."""
    end = time.monotonic() + seconds
    while True:
        if answer := question():
            return answer
        if time.monotonic() > end:
            pytest.fail(f"waited {seconds:.0f} s in vain until {what}\n{state()}", pytrace=False)
        time.sleep(POLL_SECONDS)


def stays(question, seconds, what):
    """`question()` is true, and goes on being so for `seconds`."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if not question():
            pytest.fail(f"for {seconds:.0f} s it was to hold that {what}", pytrace=False)
        time.sleep(POLL_SECONDS)
