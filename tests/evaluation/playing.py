"""How a contender is played: with everything warm, at another price list, known again.

What a day costs at another price list follows from its memory-seconds; who would have been woken
then does not, and is simulated again wherever it could differ.
"""

from __future__ import annotations

from dataclasses import replace

from remoe_simulator.contender import Waking


def warm(contender):
    """The contender with every replica there all the time, as the paper counts."""
    functions = tuple(
        replace(function, min_replicas=function.max_replicas)
        for function in contender.plan.functions
    )
    plan = replace(contender.plan, functions=functions)
    return replace(
        contender, plan=plan, main_keep_alive_seconds=None, waking=Waking.WHEN_CALLED, slo=None
    )


def played(contender):
    """Everything of a contender that changes its day."""
    plan = contender.plan
    weighs = contender.waking is Waking.FORECAST and bool(plan.functions)
    return (
        (plan.architecture.name, plan.functions, plan.main_memory_bytes, plan.main_gpu_bytes),
        contender.profile,
        contender.main_keep_alive_seconds,
        (contender.slo, contender.prices) if weighs else None,
    )


def billed_at(day, prices):
    """The day at another price list."""
    served = tuple(replace(one, busy=_bill(one.busy, prices)) for one in day.served)
    return replace(day, served=served, busy=_bill(day.busy, prices), awake=_bill(day.awake, prices))


def _bill(bill, prices):
    main = bill.main_gib_seconds * prices.main_gib_second
    return replace(
        bill,
        main_cost=main + bill.gpu_gib_seconds * prices.gpu_gib_second,
        function_cost=bill.function_gib_seconds * prices.function_gib_second,
        call_cost=bill.calls * prices.call,
        currency=prices.currency,
    )
