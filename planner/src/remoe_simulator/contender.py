"""Somebody who could serve the model: where experts lie, on which machine, and who wakes what."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from remoe_planner.demand.slo import Slo
from remoe_planner.hardware.profile import HardwareProfile
from remoe_planner.plan import Plan
from remoe_planner.prices import Prices


class ContenderName(StrEnum):
    """Those that are compared, as tables and pictures call them."""

    CPU = "CPU"
    """Everything in CPU memory, computed there."""

    GPU = "GPU"
    """Everything in GPU memory."""

    MIX = "MIX"
    """Routed experts on the CPU, everything else on the GPU, all resident."""

    FETCH = "Fetch"
    """Ideal offloading: experts kept in CPU memory, those needed always already on the GPU."""

    PRINTED = "Remoe as printed"
    """The paper's five steps."""

    OURS = "Remoe"
    """As we plan it."""

    PER_EXPERT = "function per expert"
    """Every expert a function of its own."""

    PER_LAYER = "function per layer"
    """A function for all experts of a layer, woken when it is called."""


class Waking(StrEnum):
    """Who wakes sleeping functions."""

    FORECAST = "forecast"
    """The fast loop before a request, and the main model what it missed."""

    WHEN_CALLED = "when called"
    """The main model alone, when it needs them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """One way to serve.

    Attributes:
        name: as tables call it.
        plan: where experts are, and the memory of every part. Functions with `min_replicas` stay.
        profile: how long modules take in this placement.
        prices: the price list.
        waking: who wakes functions.
        main_keep_alive_seconds: how long an idle main model stays; None keeps it always.
        slo: what the fast loop is told to keep; None promises nothing.
        payload_bytes: token rows in one call at most; None where calls are not bounded.
        note: what a reader must know of how it was made up, in a sentence; empty for none.
    """

    name: str
    plan: Plan
    profile: HardwareProfile
    prices: Prices
    waking: Waking = Waking.WHEN_CALLED
    main_keep_alive_seconds: float | None = None
    slo: Slo | None = None
    payload_bytes: int | None = None
    note: str = ""
