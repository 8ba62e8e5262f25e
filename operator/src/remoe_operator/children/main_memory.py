"""What a main model's container asks for and may take.

Weights are mapped from the claim. Pages of a mapped file count to the container that touched them
first, yet the kernel takes them back before it kills anything, so a limit bounds how much of the
model stays in memory, never whether it runs. Request: what the plan gives, which is what
the scheduler must find and what is billed. Limit: the request and room for what cannot be
taken back beyond it (caches of more requests than expected, working memory of experts that main
computes for a function that is gone), or the spec's own `main.memoryLimit`. Weights converted to
float32 are memory of their own, and come on top of both.
"""

from __future__ import annotations

from remoe_operator.resource.quantity import bytes_of
from remoe_operator.resource.spec import Dtype, MoEServiceSpec
from remoe_planner.memory import MIB
from remoe_planner.plan import Plan

_ROUND_BYTES = MIB
_LEAST_ROOM_BYTES = 512 * MIB
_ROOM_SHARE = 0.25


def memory_request_bytes(spec: MoEServiceSpec, plan: Plan) -> int:
    """In whole MiB; never above the spec's limit, which the plan was made within."""
    asked = _rounded(plan.main_memory_bytes + _converted(spec, plan))
    given = spec.main.memory_limit
    return asked if given is None else min(asked, bytes_of(given))


def memory_limit_bytes(spec: MoEServiceSpec, plan: Plan) -> int:
    """In whole MiB, or as the spec has it."""
    if spec.main.memory_limit is not None:
        return bytes_of(spec.main.memory_limit)
    asked = memory_request_bytes(spec, plan)
    return _rounded(asked + max(_LEAST_ROOM_BYTES, round(_ROOM_SHARE * asked)))


def _converted(spec: MoEServiceSpec, plan: Plan) -> int:
    return plan.architecture.main_bytes if spec.model.dtype is Dtype.FLOAT32 else 0


def _rounded(byte_count: int) -> int:
    return -(-byte_count // _ROUND_BYTES) * _ROUND_BYTES
