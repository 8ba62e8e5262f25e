"""The usual one of several measurements of the same: medians, field by field."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median

import numpy as np

from remoe_functions.profiling.answered import Answered


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Typical:
    """Answers of one session, the median of each kind.

    Attributes:
        prompts: by prompt tokens, those of which only the first token was wanted.
        steps: by prompt tokens, decode steps alone: what the same prompt took is taken off.
    """

    prompts: dict[int, Answered]
    steps: dict[int, Answered]


def typical_of(answers: Iterable[Answered]) -> Typical:
    """The median of each kind."""
    kinds: dict[tuple[int, int], list[Answered]] = {}
    for answer in answers:
        kinds.setdefault(answer.kind, []).append(answer)
    usual = {kind: _median(group) for kind, group in kinds.items()}
    prompts = {rows: answer for (rows, steps), answer in usual.items() if not steps}
    return Typical(
        prompts=prompts,
        steps={
            rows: _less(answer, prompts[rows]) for (rows, steps), answer in usual.items() if steps
        },
    )


def _median(group: list[Answered]) -> Answered:
    first = group[0]
    return Answered(
        prompt_tokens=first.prompt_tokens,
        steps=first.steps,
        prefill_seconds=median(each.prefill_seconds for each in group),
        decode_seconds=median(each.decode_seconds for each in group),
        parts={part: median(each.parts[part] for each in group) for part in first.parts},
        calls=median(each.calls for each in group),
        busy_seconds=median(each.busy_seconds for each in group),
        prefill=np.mean([each.prefill for each in group], axis=0),
        decode=np.mean([each.decode for each in group], axis=0),
        token_seconds=_gaps(group),
        fallbacks=0,
    )


def _gaps(group: list[Answered]) -> tuple[float, ...]:
    """Times between the tokens of all of them: their spread is wanted, so no median."""
    return tuple(gap for each in group for gap in np.diff(each.token_seconds).tolist())


def _less(whole: Answered, prompt: Answered) -> Answered:
    return Answered(
        prompt_tokens=whole.prompt_tokens,
        steps=whole.steps,
        prefill_seconds=whole.prefill_seconds,
        decode_seconds=whole.decode_seconds,
        parts={p: max(whole.parts[p] - prompt.parts[p], 0.0) for p in whole.parts},
        calls=whole.calls - prompt.calls,
        busy_seconds=max(whole.busy_seconds - prompt.busy_seconds, 0.0),
        prefill=whole.prefill,
        decode=whole.decode,
        token_seconds=whole.token_seconds,
        fallbacks=0,
    )
