"""A plan's summary from a status, in lines for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Summary = Mapping[str, Any]


def in_short(plan: Summary) -> str:
    """One line: which plan, how many experts where, what it is expected to do and to cost."""
    words = [
        str(plan["digest"]),
        f"{plan['remoteExperts']} of {plan['experts']} experts in {_functions(plan)}",
    ]
    for label, field in (("TTFT", "ttft"), ("TPOT", "tpot"), ("", "costPerHour")):
        if plan.get(field):
            words.append(f"{label} {plan[field]}".strip() + (" an hour" if not label else ""))
    return " · ".join(words)


def in_full(plan: Summary) -> Iterator[str]:
    """Everything the summary says, a line for each thing."""
    yield f"  digest      {plan['digest']}"
    yield f"  method      {plan['method']}"
    yield f"  experts     {plan['remoteExperts']} of {plan['experts']} in {_functions(plan)}"
    yield f"  memory      main {plan['mainMemory']}, functions {plan['functionMemory']} when awake"
    expected = [f"{label} {plan[field]}" for label, field in _EXPECTED if plan.get(field)]
    if expected:
        yield f"  expected    {', '.join(expected)}"
    costs = [f"{plan[field]} {per}" for per, field in _COSTS if plan.get(field)]
    if costs:
        yield f"  cost        {', '.join(costs)}"
    for field, lead in (
        ("shortfalls", "not kept"),
        ("binding", "bound by"),
        ("reasons", "because"),
    ):
        for sentence in plan.get(field) or ():
            yield f"  {lead:<11} {sentence}"


_EXPECTED = (("TTFT", "ttft"), ("TPOT", "tpot"), ("load", "load"))
_COSTS = (("an hour", "costPerHour"), ("per million tokens", "costPerMillionTokens"))


def _functions(plan: Summary) -> str:
    count = plan["functions"]
    return f"{count} function{'' if count == 1 else 's'}"
