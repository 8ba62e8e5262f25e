"""The requests to plan for: as the resource says, else as recorded, else the planner's own."""

from __future__ import annotations

from remoe_operator.planned.usage import Usage
from remoe_operator.resource.duration import seconds_of
from remoe_operator.resource.spec import MoEServiceSpec
from remoe_planner.demand.slo import Slo
from remoe_planner.demand.workload import Workload

_USUAL = Workload()


def workload_of(spec: MoEServiceSpec, usage: Usage | None) -> Workload:
    """The stream of requests; what was not asked for never contradicts what was."""
    asked, seen = spec.workload, usage or Usage.none()
    prompt = _typical(
        asked.prompt_tokens, seen.prompt_tokens, _USUAL.prompt_tokens, asked.max_prompt_tokens
    )
    output = _typical(
        asked.output_tokens, seen.output_tokens, _USUAL.output_tokens, asked.max_output_tokens
    )
    longest_prompt = asked.max_prompt_tokens or seen.max_prompt_tokens or _USUAL.max_prompt_tokens
    longest_output = asked.max_output_tokens or seen.max_output_tokens or _USUAL.max_output_tokens
    return Workload(
        prompt_tokens=prompt,
        output_tokens=output,
        max_prompt_tokens=max(longest_prompt, prompt),
        max_output_tokens=max(longest_output, output),
        requests_per_second=asked.requests_per_minute / 60,
        concurrency=asked.concurrency,
    )


def _typical(asked: int | None, seen: int | None, usual: int, longest: int | None) -> int:
    if asked is not None:
        return asked
    typical = seen or usual
    return typical if longest is None else min(typical, longest)


def slo_of(spec: MoEServiceSpec) -> Slo:
    """What is promised."""
    ttft, tpot = spec.slo.ttft, spec.slo.tpot
    return Slo(
        ttft_seconds=None if ttft is None else seconds_of(ttft),
        tpot_seconds=None if tpot is None else seconds_of(tpot),
        percentile=spec.slo.percentile / 100,
    )
