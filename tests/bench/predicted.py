"""Predicted against measured: plans carried out for real, beside what their estimates said.

    python tests/bench/predicted.py --model DIR --profile FILE [--prompts FILE] [--json FILE]

Prompts are split: the first ones are recorded on a service with every expert resident and make
the routing; the others are put to each plan, one after the other, after its functions are awake.
Predicted is the mean of the estimates of every prompt's own length. Time to first token and per
output token are the client's, through the gateway; busy cost is the gateway's own bill; awake cost
is every replica's seconds between the first question and the last answer; memory is RSS of the
processes against what the plan gives them. Without --profile the machine is measured first.
Nothing else should be running.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean, median
from typing import Any

import httpx
import numpy as np
from openai import AsyncOpenAI

from remoe_functions.cli.asking import Answer, Asking, ask
from remoe_functions.cli.client import connected
from remoe_functions.cli.measuring import measured_profile
from remoe_functions.cli.planning import architecture_of
from remoe_functions.cli.record import record_prompts
from remoe_functions.cli.service import Service, running
from remoe_functions.history.reader import read_history
from remoe_functions.profiling.answered import parts_of
from remoe_functions.runtime.state import PartKind, Snapshot
from remoe_functions.sample_prompts.prompts import Prompt, read_prompts, sample_prompts
from remoe_functions.source.source import resolve
from remoe_planner.bill import FunctionUse, Usage, bill
from remoe_planner.demand.routing import Routing
from remoe_planner.demand.slo import Slo
from remoe_planner.demand.workload import Workload
from remoe_planner.estimate import Estimate
from remoe_planner.estimating.estimate_plan import estimate_plan
from remoe_planner.hardware.profile import HardwareProfile
from remoe_planner.least_used import FunctionKnobs, plan_least_used
from remoe_planner.memory import MIB, MemoryModel
from remoe_planner.method import Method
from remoe_planner.offerings import Offerings
from remoe_planner.plan import Plan
from remoe_planner.planning.make_plan import make_plan
from remoe_planner.resident import plan_resident

KEEP_ALIVE_SECONDS = 600.0
FIGURES = {
    "TTFT, ms": 1e3,
    "TPOT, ms": 1e3,
    "busy cost of a request, µUSD": 1e6,
    "awake cost of a request, µUSD": 1e6,
    "main memory, MiB": 1 / MIB,
    "functions' memory, MiB": 1 / MIB,
    "remote assignments, %": 100.0,
}


# What the engine calls the parts of its passes, and the estimate's terms in each.
TERMS = {
    "local_experts": ("local experts",),
    "wire": ("calls",),
    "waiting": ("waiting for functions",),
    "rest": ("attention and gates", "context", "GPU hand-over"),
}


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """One plan: what was predicted and what came."""

    name: str
    predicted: Mapping[str, float]
    measured: Mapping[str, float]
    fallbacks: int


@dataclass(frozen=True, kw_only=True)
class Run:
    """A plan carried out: answers, the parts before, after and later, seconds of passes by part."""

    answers: Sequence[Answer]
    before: Snapshot
    after: Snapshot
    rested: Snapshot
    seconds: float
    passes: Mapping[str, float]


def main() -> None:
    options = _parser().parse_args()
    outcomes = asyncio.run(bench(options, given_profile(options)))
    for outcome in outcomes:
        print_outcome(outcome)
    if options.json:
        options.json.write_text(json.dumps([vars(outcome) for outcome in outcomes], indent=2))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True, help="checkpoint folder")
    parser.add_argument("--profile", type=Path, help="as `remoe profile --output` wrote it")
    parser.add_argument("--prompts", type=Path, help="JSON lines with a prompt or text each")
    parser.add_argument(
        "--plan", type=Path, action="append", default=[], help="a plan of one's own"
    )
    parser.add_argument("--shares", default="0,0.25,0.5,1", help="remote shares of the first plan")
    parser.add_argument("--methods", default="marginal", help="methods that plan for an SLO")
    parser.add_argument("--slack", type=float, default=1.5, help="TPOT promised: x all resident")
    parser.add_argument("--functions", type=int, default=1)
    parser.add_argument("--record", type=int, default=40, help="prompts that make the routing")
    parser.add_argument("--count", type=int, default=12, help="prompts measured")
    parser.add_argument("--tokens", type=int, default=33, help="tokens of each answer")
    parser.add_argument("--json", type=Path)
    return parser


def given_profile(options: argparse.Namespace) -> HardwareProfile:
    if options.profile:
        return HardwareProfile.from_json(options.profile.read_text())
    return measured_profile(resolve(options.model), plan=None, quick=True, say=print)


async def bench(options: argparse.Namespace, profile: HardwareProfile) -> list[Outcome]:
    texts = read_prompts(options.prompts) if options.prompts else sample_prompts()
    # Every so many-th: a file's prompts come ordered by where they are from.
    chosen = texts[:: max(1, len(texts) // (options.record + options.count))]
    learned, asked = chosen[: options.record], chosen[options.record :][: options.count]
    routing = await recorded_routing(options, learned)
    plans = plans_of(options, routing, profile)
    return [
        await outcome_of(options, name, plan, asked, routing, profile)
        for name, plan in plans.items()
    ]


async def recorded_routing(options: argparse.Namespace, prompts: Sequence[Prompt]) -> Routing:
    source = resolve(options.model)
    with tempfile.TemporaryDirectory() as folder:
        await record_prompts(source, prompts, Path(folder), options.tokens, 1)
        return Routing.of(read_history(Path(folder), architecture_of(source.directory)))


def plans_of(
    options: argparse.Namespace, routing: Routing, profile: HardwareProfile
) -> dict[str, Plan]:
    architecture = architecture_of(resolve(options.model).directory)
    knobs = FunctionKnobs(
        keep_alive_seconds=KEEP_ALIVE_SECONDS, memory=profile.memory or MemoryModel()
    )
    plans = {
        f"{float(share):.0%} remote": plan_least_used(
            architecture,
            routing.decode,
            remote_share=float(share),
            functions=options.functions,
            knobs=knobs,
        )
        for share in options.shares.split(",")
    }
    for method in filter(None, options.methods.split(",")):
        plans[method] = planned(options, Method(method), routing, profile)
    plans |= {path.stem: Plan.from_json(path.read_text()) for path in options.plan}
    return plans


def planned(
    options: argparse.Namespace, method: Method, routing: Routing, profile: HardwareProfile
) -> Plan:
    """The method's plan for a promise that leaves some room beside every expert resident."""
    architecture = architecture_of(resolve(options.model).directory)
    given = {
        "routing": routing,
        "workload": Workload(output_tokens=options.tokens - 1, requests_per_second=0.01),
        "profile": profile,
        "offerings": offerings_here(profile),
    }
    resident = estimate_plan(plan_resident(architecture), **given).latency
    slo = Slo(tpot_seconds=options.slack * resident.tpot_at_percentile_seconds)
    made = make_plan(architecture, method=method, slo=slo, **given)
    for missed in made.shortfalls:
        print(f"{method}: {missed}")
    return made.plan


def offerings_here(profile: HardwareProfile) -> Offerings:
    """What `remoe serve` rents out here: a function has one thread, whatever its memory."""
    return Offerings(
        main_keep_alive_seconds=None,
        memory=profile.memory or MemoryModel(),
        cores_per_gib=1e3,
        max_function_cores=1.0,
        function_keep_alive_seconds=KEEP_ALIVE_SECONDS,
    )


async def outcome_of(
    options: argparse.Namespace,
    name: str,
    plan: Plan,
    prompts: Sequence[Prompt],
    routing: Routing,
    profile: HardwareProfile,
) -> Outcome:
    run = await carried_out(options, plan, prompts)
    estimates = [
        one_by_one(
            plan,
            routing=routing,
            workload=Workload(
                prompt_tokens=answer.prompt_tokens,
                max_prompt_tokens=max(answer.prompt_tokens, 512),
                output_tokens=options.tokens - 1,
                requests_per_second=len(run.answers) / run.seconds,
            ),
            profile=profile,
            offerings=offerings_here(profile),
        )
        for answer in run.answers
    ]
    return Outcome(
        name=name,
        predicted=predicted(plan, estimates)
        | predicted_passes(estimates, options.tokens - 1)
        | {"remote assignments, %": remote_share(plan, routing, run.answers)},
        measured=measured(plan, run),
        fallbacks=sum(answer.receipt.fallback for answer in run.answers if answer.receipt),
    )


def one_by_one(plan: Plan, *, workload: Workload, **given: Any) -> Estimate:
    """Costs at the rate, latency of requests that never meet."""
    alone = estimate_plan(plan, workload=replace(workload, requests_per_second=0.0), **given)
    return replace(
        estimate_plan(plan, workload=workload, **given),
        latency=alone.latency,
        ttft_terms=alone.ttft_terms,
        tpot_terms=alone.tpot_terms,
    )


async def carried_out(options: argparse.Namespace, plan: Plan, prompts: Sequence[Prompt]) -> Run:
    source = resolve(options.model)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "plan.json"
        file.write_text(plan.to_json())
        arguments = ("--plan", str(file), "--no-keep-history")
        async with (
            running(source.directory, source.name, *arguments) as service,
            connected(service.url) as client,
        ):
            asking = Asking(model=service.model, max_tokens=options.tokens, ignore_eos=True)
            await wake(service, client, asking, prompts[0])
            before, began = await service.snapshot(), asyncio.get_running_loop().time()
            passed = await passes(before)
            answers = [
                await ask(client, asking, [{"role": "user", "content": prompt.text}])
                for prompt in prompts
            ]
            seconds = asyncio.get_running_loop().time() - began
            after = await service.snapshot()
            await asyncio.sleep(1.5)  # the runtime looks at memory once a second
            rested = await service.snapshot()
            spent = {part: value - passed[part] for part, value in (await passes(after)).items()}
            return Run(
                answers=answers,
                before=before,
                after=after,
                rested=rested,
                seconds=seconds,
                passes=spent,
            )


async def passes(snapshot: Snapshot) -> dict[str, float]:
    """Seconds of the main model's passes by part, since it began."""
    main = snapshot.of_kind(PartKind.MAIN)[0].ready[0]
    async with httpx.AsyncClient() as client:
        return parts_of((await client.get(f"http://{main.host}:{main.port}/metrics")).text)


async def wake(service: Service, client: AsyncOpenAI, asking: Asking, prompt: Prompt) -> None:
    """Ask until every function is awake, which the first answers' misses see to."""
    for _ in range(3):
        await ask(client, asking, [{"role": "user", "content": prompt.text}])
        await service.functions_awake()


def predicted(plan: Plan, estimates: list[Estimate]) -> dict[str, float]:
    return {
        "TTFT, ms": mean(each.latency.ttft_seconds for each in estimates),
        "TPOT, ms": mean(each.latency.tpot_seconds for each in estimates),
        "busy cost of a request, µUSD": mean(each.busy.per_request for each in estimates),
        "awake cost of a request, µUSD": mean(each.awake.per_request for each in estimates),
        "main memory, MiB": plan.main_memory_bytes,
        "functions' memory, MiB": sum(function.memory_bytes for function in plan.functions),
    }


def predicted_passes(estimates: list[Estimate], steps: int) -> dict[str, float]:
    """Seconds of a request's passes by the engine's own parts."""
    return {
        part: mean(
            sum(each.ttft_terms.get(t, 0.0) + steps * each.tpot_terms.get(t, 0.0) for t in terms)
            for each in estimates
        )
        for part, terms in TERMS.items()
    }


def remote_share(plan: Plan, routing: Routing, answers: Sequence[Answer]) -> float:
    """Of all assignments, those expected on functions: the routing's own error shows here."""
    shape = plan.architecture.shape
    remote = np.array([plan.is_remote(e) for e in plan.architecture.experts]).reshape(shape)
    prompts = sum(answer.prompt_tokens for answer in answers)
    outputs = sum(answer.completion_tokens - 1 for answer in answers)
    prefill, decode = (
        float((shares * remote).sum()) / shape[0] for shares in (routing.prefill, routing.decode)
    )
    return (prompts * prefill + outputs * decode) / (prompts + outputs)


def measured(plan: Plan, run: Run) -> dict[str, float]:
    answers, before, after = run.answers, run.before, run.after
    receipts = [answer.receipt for answer in answers]
    awake = {
        name: part.awake_seconds - before.parts[name].awake_seconds
        for name, part in after.parts.items()
    }
    main = after.of_kind(PartKind.MAIN)
    functions = after.of_kind(PartKind.FUNCTION)
    usage = Usage(
        main_seconds=sum(awake[part.name] for part in main),
        functions={part.name: FunctionUse(seconds=awake[part.name]) for part in functions},
    )
    prices = Offerings().prices
    return {
        "TTFT, ms": mean(answer.ttft_seconds for answer in answers),
        # The median: one answer on a machine that hiccups must not decide.
        "TPOT, ms": median(answer.tpot_seconds for answer in answers),
        "busy cost of a request, µUSD": mean(answer.receipt.cost for answer in answers),
        "awake cost of a request, µUSD": bill(usage, plan, prices).cost / len(answers),
        "main memory, MiB": sum(p.memory_bytes for p in run.rested.of_kind(PartKind.MAIN)),
        "functions' memory, MiB": sum(
            p.memory_bytes for p in run.rested.of_kind(PartKind.FUNCTION)
        ),
        "remote assignments, %": sum(r.remote + r.fallback for r in receipts)
        / sum(r.assignments for r in receipts),
    } | {part: run.passes[part] / len(answers) for part in TERMS}


def print_outcome(outcome: Outcome) -> None:
    print(f"\n### {outcome.name}\n\n| | predicted | measured | ratio |\n|---|---|---|---|")
    names = {part: f"passes of a request: {part}, ms" for part in TERMS}
    for name, scale in (FIGURES | dict.fromkeys(TERMS, 1e3)).items():
        said, came = outcome.predicted[name] * scale, outcome.measured[name] * scale
        ratio = f"{said / came:.2f}" if came else "-"
        print(f"| {names.get(name, name)} | {said:.4g} | {came:.4g} | {ratio} |")
    print(f"\nPairs that functions left undone: {outcome.fallbacks}.")


if __name__ == "__main__":
    main()
