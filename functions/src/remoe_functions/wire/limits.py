"""How large a call may be, and how much a server takes on at once. Knobs only."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The largest call that is read; checked against the header before memory is taken.

    Raises:
        ValueError: a limit is below one.
    """

    max_rows: int = 8_192
    max_hidden: int = 32_768
    max_pairs: int = 131_072
    max_frame_bytes: int = 128 * 1024 * 1024

    def __post_init__(self) -> None:
        for field in fields(self):
            _require_at_least(field.name, getattr(self, field.name), 1)

    def excess(self, *, rows: int, hidden: int, pairs: int, frame_bytes: int) -> str | None:
        """What is too large, in words, or None."""
        if (
            rows <= self.max_rows
            and hidden <= self.max_hidden
            and pairs <= self.max_pairs
            and frame_bytes <= self.max_frame_bytes
        ):
            return None
        if rows > self.max_rows:
            return f"rows: {rows} is more than {self.max_rows}"
        if hidden > self.max_hidden:
            return f"hidden: {hidden} is more than {self.max_hidden}"
        if pairs > self.max_pairs:
            return f"pairs: {pairs} is more than {self.max_pairs}"
        return f"frame: {frame_bytes} bytes is more than {self.max_frame_bytes}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Capacity:
    """How much a server takes on at once, and how long it waits for its clients.

    Attributes:
        compute_slots: calls computed at once.
        max_waiting: calls that may wait for a slot; one more is refused BUSY at once.
        max_connections: connections that have shown the token (each has a thread).
        max_strangers: connections that have not; the oldest makes room for a new one.
        hello_timeout_seconds: a connection that has not shown the token by then is closed.
        stall_timeout_seconds: a client that stops in the middle of a frame, or does not read its
            answer, is dropped after this long.

    Raises:
        ValueError: a knob is out of its range.
    """

    compute_slots: int = 1
    max_waiting: int = 64
    max_connections: int = 64
    max_strangers: int = 128
    hello_timeout_seconds: float = 5.0
    stall_timeout_seconds: float = 10.0

    def __post_init__(self) -> None:
        _require_at_least("compute_slots", self.compute_slots, 1)
        _require_at_least("max_waiting", self.max_waiting, 0)
        _require_at_least("max_connections", self.max_connections, 1)
        _require_at_least("max_strangers", self.max_strangers, 1)
        _require_duration("hello_timeout_seconds", self.hello_timeout_seconds)
        _require_duration("stall_timeout_seconds", self.stall_timeout_seconds)


def _require_at_least(name: str, value: int, lowest: int) -> None:
    if value < lowest:
        raise ValueError(f"{name} must be at least {lowest}, got {value}")


def _require_duration(name: str, value: float) -> None:
    if not 0 < value < math.inf:
        raise ValueError(f"{name} must be above zero and finite, got {value}")
