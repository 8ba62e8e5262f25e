"""Durations and quantities are read as Kubernetes reads them and written in its normal form."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from remoe_operator.resource.base import Cpu, Duration, Memory
from remoe_operator.resource.duration import duration_of, seconds_of
from remoe_operator.resource.quantity import bytes_of, cpu, memory, millicores_of


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("300ms", 0.3), ("2s", 2), ("1m30s", 90), ("1.5h", 5400), ("0s", 0), ("1h1m1s1ms", 3661.001)],
)
def test_durations_are_read(text, seconds):
    assert TypeAdapter(Duration).validate_python(text) == text
    assert seconds_of(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "2", "s", "2 s", "-2s", "1d", "1e3s", "2s extra", "2us"])
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(ValueError, match="duration"):
        seconds_of(text)
    with pytest.raises(ValidationError):
        TypeAdapter(Duration).validate_python(text)


@given(st.from_regex(r"\A([0-9]{1,5}(\.[0-9]{1,3})?(ms|s|m|h)){1,4}\Z"))
def test_no_allowed_duration_overflows_the_api_servers(text):
    assert seconds_of(text) < 2**63 / 1e9


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.0431, "43.1ms"), (1.25, "1.25s"), (90, "90s"), (3600, "60m")]
)
def test_durations_are_written_for_people(seconds, text):
    assert duration_of(seconds) == text


@pytest.mark.parametrize(
    ("text", "size"),
    [("1Gi", 1 << 30), ("1.5Gi", 3 << 29), ("1G", 10**9), ("100k", 100_000), ("7", 7), ("0.5", 1)],
)
def test_memory_is_read(text, size):
    assert TypeAdapter(Memory).validate_python(text) == text
    assert bytes_of(text) == size


@pytest.mark.parametrize(("text", "millis"), [("500m", 500), ("2", 2000), ("0.25", 250)])
def test_cores_are_read(text, millis):
    assert TypeAdapter(Cpu).validate_python(text) == text
    assert millicores_of(text) == millis


@pytest.mark.parametrize("text", ["", "Gi", "1 Gi", "x"])
def test_what_is_no_quantity_is_refused(text):
    with pytest.raises(ValueError, match="quantity"):
        bytes_of(text)


@given(st.integers(0, 1 << 50))
def test_memory_is_written_by_its_largest_whole_unit(size):
    text = memory(size)
    assert bytes_of(text) == size
    number = int(re.match("[0-9]+", text)[0])
    assert number % 1024 or text.endswith("Ti") or not number


@given(st.integers(0, 1_000_000))
def test_cores_are_written_whole_where_they_are(millis):
    assert millicores_of(cpu(millis)) == millis
    assert not cpu(millis).endswith("000m")
