"""The main model's own times, from where its passes' time went."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from statistics import median

import numpy as np
from numpy.typing import NDArray

from remoe_functions.profiling.answered import Answered
from remoe_functions.profiling.typical import Typical
from remoe_planner.hardware.curve import Curve
from remoe_planner.hardware.expert_time import ExpertTime
from remoe_planner.hardware.fitting import Total, fit_curve
from remoe_planner.hardware.profile import MainTime

CHUNK = 256
_EXPERT_KNOTS = (1, 2, 4, 16, 64)
Mask = NDArray[np.bool_]
Seconds = Callable[[Answered], float]


def main_time(seen: Iterable[tuple[Typical, Mask]], cores: float) -> MainTime:
    """Module, experts and context of sessions with the same cores.

    Args:
        seen: sessions, each with [MoE layers, experts] telling which experts were local.
        cores: of the main model.
    """
    sessions = list(seen)
    local = [t for typical, here in sessions for t in expert_totals(typical, here, _local)]
    modules = [t for typical, _ in sessions for t in _module_totals(typical)]
    rows = sorted({count for typical, _ in sessions for count in typical.prompts if count <= CHUNK})
    module, (for_context,) = fit_curve(modules, rows)
    return MainTime(
        module=module,
        step=Curve.constant(median(_outside(typical) for typical, _ in sessions)),
        local_expert=expert_time(local, cores),
        main_cores=cores,
        context_seconds=median(_context(typical) for typical, _ in sessions),
        prefill_context_seconds=for_context,
    )


def expert_time(totals: Sequence[Total], cores: float) -> ExpertTime:
    """One expert by rows; none at all where no expert was seen."""
    most = max((float(total.rows.max(initial=0)) for total in totals), default=0)
    if most < 1:
        return ExpertTime(cores=(cores,), curves=(Curve.nothing(),))
    knots = [knot for knot in _EXPERT_KNOTS if knot <= most]
    curve, _ = fit_curve([total for total in totals if total.rows.any()], knots)
    return ExpertTime(cores=(cores,), curves=(curve,))


def expert_totals(typical: Typical, chosen: Mask, seconds: Seconds) -> list[Total]:
    """Rows of the chosen experts in each kind of request, and what they took together."""
    prompts = [
        Total(rows=_chunked(answer)[:, chosen], seconds=seconds(answer))
        for answer in typical.prompts.values()
    ]
    steps = [
        # In a step every pick is one row of its own.
        Total(rows=np.ones(round(answer.decode[chosen].sum())), seconds=seconds(answer))
        for answer in typical.steps.values()
        # Of a long prompt's passes the steps are a small difference, and mostly noise.
        if answer.prompt_tokens <= CHUNK
    ]
    return [total for total in prompts + steps if total.rows.any()]


def busy(answer: Answered) -> float:
    """The functions' own time."""
    return answer.busy_seconds


def _local(answer: Answered) -> float:
    return answer.parts["local_experts"]


def _chunked(answer: Answered) -> NDArray[np.float64]:
    """Rows of each expert in each pass of a prompt, [passes, layers, experts]."""
    sizes = np.array(_sizes(answer.prompt_tokens), np.float64) / answer.prompt_tokens
    return np.asarray(sizes[:, None, None] * answer.prefill)


def _module_totals(typical: Typical) -> list[Total]:
    totals = []
    for answer in typical.prompts.values():
        layers, sizes = len(answer.prefill), np.array(_sizes(answer.prompt_tokens), np.float64)
        before = float((sizes * (np.cumsum(sizes) - sizes)).sum())
        totals.append(
            Total(
                rows=np.repeat(sizes, layers),
                seconds=answer.parts["rest"],
                other=(layers * before,),
            )
        )
    for answer in typical.steps.values():
        if answer.prompt_tokens <= CHUNK:
            passes = answer.steps * len(answer.prefill)
            totals.append(Total(rows=np.ones(passes), seconds=answer.parts["rest"], other=(0.0,)))
    return totals


def _outside(typical: Typical) -> float:
    """Seconds of a step that are spent outside of its layers: sampling, delivery."""
    short = typical.steps[min(typical.steps)]
    inside = sum(value for part, value in short.parts.items() if part != "sampling")
    return max(short.decode_seconds - inside, 0.0) / short.steps


def _context(typical: Typical) -> float:
    """More seconds of one layer's step for each token of context."""
    least, most = min(typical.steps), max(typical.steps)
    short, long = typical.steps[least], typical.steps[most]
    if least == most:
        return 0.0
    more = long.decode_seconds / long.steps - short.decode_seconds / short.steps
    return max(more, 0.0) / (len(short.prefill) * (most - least))


def _sizes(prompt_tokens: int) -> list[int]:
    chunks, rest = divmod(prompt_tokens, CHUNK)
    return [CHUNK] * chunks + ([rest] if rest else [])
