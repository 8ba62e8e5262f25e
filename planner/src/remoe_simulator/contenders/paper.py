"""The paper's own setting: its requests, and what it lets be rented."""

from __future__ import annotations

from dataclasses import replace

from remoe_planner.architecture import Architecture
from remoe_planner.billing import Billing
from remoe_planner.demand.workload import Workload
from remoe_planner.memory import GIB, MIB
from remoe_planner.offerings import MemoryGrid, Offerings
from remoe_planner.prices import DEFAULT_GPU_PRICES, Prices

PAPER_WORKLOAD = Workload(
    prompt_tokens=125,
    output_tokens=200,
    max_prompt_tokens=125,
    max_output_tokens=200,
    requests_per_second=1e-4,
)
"""500 characters in, 200 tokens out, one request after the other: too rare to meet another."""

_FUNCTION_MEMORY = {
    "gpt2-moe": MemoryGrid(least_bytes=200 * MIB, most_bytes=2000 * MIB),
    "deepseek-v2-lite": MemoryGrid(least_bytes=1000 * MIB, most_bytes=5000 * MIB),
}
_MAIN_MEMORY = {
    "gpt2-moe": MemoryGrid(least_bytes=200 * MIB, most_bytes=5000 * MIB),
    "deepseek-v2-lite": MemoryGrid(least_bytes=1000 * MIB, most_bytes=40_000 * MIB),
}
_LARGE_FUNCTIONS = MemoryGrid(least_bytes=100 * MIB, most_bytes=10_200 * MIB)
_NEVER_SECONDS = 1e7
_LARGE_MAIN = MemoryGrid(least_bytes=100 * MIB, most_bytes=2048 * GIB)


def prices_at(ratio: float) -> Prices:
    """GPU memory at so many times the price of other memory (c_g / c_c), which stays.

    Raises:
        ValueError: the ratio is not > 0.
    """
    if not ratio > 0:
        raise ValueError(f"ratio must be > 0, got {ratio}")
    base = DEFAULT_GPU_PRICES
    return replace(
        base,
        gpu_gib_second=ratio * base.main_gib_second,
        source=f"assumption: AWS Lambda's list price for memory, a GPU's at {ratio:g} times that",
    )


def paper_offerings(
    architecture: Architecture, *, price_ratio: float = 3.0, billing: Billing = Billing.BUSY
) -> Offerings:
    """Sizes in steps of 100 MiB: the paper's for its two models, wide ones for all others.

    Where only computing is billed nothing sleeps, since idle time is free and the paper counts no
    cold start.
    """
    name, busy = architecture.name, billing is Billing.BUSY
    return Offerings(
        function_memory=_FUNCTION_MEMORY.get(name, _LARGE_FUNCTIONS),
        main_memory=_MAIN_MEMORY.get(name, _LARGE_MAIN),
        prices=prices_at(price_ratio),
        billing=billing,
        gpu=True,
        main_keep_alive_seconds=None if busy else 300.0,
        function_keep_alive_seconds=_NEVER_SECONDS if busy else 60.0,
    )
