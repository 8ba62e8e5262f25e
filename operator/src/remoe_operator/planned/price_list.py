"""A resource's prices as the planner takes them, with its defaults where nothing is said."""

from __future__ import annotations

from dataclasses import replace

from remoe_operator.resource.spec import Device, MoEServiceSpec
from remoe_planner.prices import DEFAULT_GPU_PRICES, DEFAULT_PRICES, Prices


def price_list(spec: MoEServiceSpec) -> Prices:
    """The prices of a service."""
    asked = spec.prices
    usual = DEFAULT_GPU_PRICES if spec.main.device is Device.GPU else DEFAULT_PRICES
    named = ("main_gib_second", "function_gib_second", "gpu_gib_second")
    given = {name: getattr(asked, name) for name in named if getattr(asked, name) is not None}
    source = "the resource's spec.prices" if given else usual.source
    return replace(usual, **given, call=asked.call, currency=asked.currency, source=source)
