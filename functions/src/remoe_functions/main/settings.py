"""The engine's knobs, with their units and bounds."""

from __future__ import annotations

from dataclasses import dataclass


def _at_least(name: str, value: float, least: float) -> None:
    if not value >= least:
        raise ValueError(f"{name} must be >= {least}, got {value}")


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSettings:
    """How requests share the engine.

    Attributes:
        max_batch: requests decoded together; each holds a slot of the key-value cache.
        max_context: tokens of prompt and answer together, at most.
        max_waiting: requests that may wait for a slot before new ones are refused.
        prefill_chunk: prompt tokens computed between two decode steps, so that running answers
            are not held up by a long prompt.
        cache_block: tokens by which the key-value cache grows.
    """

    max_batch: int = 8
    max_context: int = 4096
    max_waiting: int = 64
    prefill_chunk: int = 256
    cache_block: int = 256

    def __post_init__(self) -> None:
        for name in ("max_batch", "prefill_chunk", "cache_block"):
            _at_least(name, getattr(self, name), 1)
        _at_least("max_context", self.max_context, 2)
        _at_least("max_waiting", self.max_waiting, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class CallSettings:
    """How long a call to an expert function may take, and what it may carry.

    Attributes:
        connect_seconds: bound on opening a connection.
        call_seconds: bound on a call of few rows, from sending to the whole answer.
        pair_seconds: added to the bound for every (row, expert) pair of the call.
        max_rows_bytes: bytes of token rows in one call; more are split over several.
        spread_pairs: pairs that a replica must get for a call to be split over replicas.
        first_rest_seconds: how long a replica that failed is left alone the first time.
        max_rest_seconds: the longest rest; it doubles with every failure in a row.
        wake_interval_seconds: least time between two wishes to wake the same function.
    """

    connect_seconds: float = 1.0
    call_seconds: float = 2.0
    pair_seconds: float = 0.01
    max_rows_bytes: int = 4 << 20
    spread_pairs: int = 16
    first_rest_seconds: float = 0.5
    max_rest_seconds: float = 30.0
    wake_interval_seconds: float = 1.0

    def __post_init__(self) -> None:
        for name in ("connect_seconds", "call_seconds"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be > 0, got {getattr(self, name)}")
        for name in ("pair_seconds", "first_rest_seconds", "wake_interval_seconds"):
            _at_least(name, getattr(self, name), 0)
        _at_least("max_rows_bytes", self.max_rows_bytes, 1)
        _at_least("spread_pairs", self.spread_pairs, 1)
        _at_least("max_rest_seconds", self.max_rest_seconds, self.first_rest_seconds)
