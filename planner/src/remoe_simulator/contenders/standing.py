"""The same contender where nothing ever sleeps."""

from __future__ import annotations

from dataclasses import replace

from remoe_simulator.contender import Contender


def always_on(contender: Contender) -> Contender:
    """Main model and one replica of every function stay; the plan's estimate is left out.

    It was made for parts that sleep.
    """
    functions = tuple(
        replace(function, min_replicas=max(function.min_replicas, 1))
        for function in contender.plan.functions
    )
    plan = replace(contender.plan, functions=functions, estimate=None)
    return replace(
        contender,
        name=f"{contender.name}, always on",
        plan=plan,
        main_keep_alive_seconds=None,
    )
