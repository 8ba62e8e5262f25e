"""Section 2, measured: every contender for real, on this machine, with the same prompts.

    python tests/evaluation/measured.py --data DATA --model MODEL --out docs/evaluation

In order: the machine is profiled; other prompts are recorded, and plans made from them; every
contender is served and asked, the rivals too; the routing of the same prompts is recorded for
`validation.py`. What was done is kept in --cache, and not done again there: a run that broke off
goes on, and `--again NAME` repeats one contender. Nothing else should be running.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from evaluation.measured_cache import DEFAULT, Cache
from evaluation.measured_plans import OURS_AWAKE, Ground, Served, kept, recalled, served
from evaluation.measured_rivals import LLAMA, RIVALS, TRANSFORMERS, ask_rival
from evaluation.measured_routing import keep_routing, read
from evaluation.measured_run import Asking, carried_out
from evaluation.measured_stated import stated_rows
from evaluation.measured_tables import Facts, write_tables
from evaluation.prompts import PromptSides, drawn_prompts
from evaluation.quiet import wait_for_quiet

from remoe_functions.cli.measuring import measured_profile
from remoe_functions.cli.places import profile_file
from remoe_functions.cli.planning import architecture_of
from remoe_functions.cli.record import record_prompts
from remoe_functions.history.reader import read_history
from remoe_functions.sample_prompts.prompts import Prompt
from remoe_functions.source.source import Source, resolve
from remoe_planner.demand.slo import Slo
from remoe_planner.hardware.profile import HardwareProfile
from remoe_simulator.contender import ContenderName

SEED = 7
RECORDED_TOKENS = 48
# Those that are compared most closely run next to each other, the slowest last.
ORDER = (
    ContenderName.CPU,
    ContenderName.OURS,
    LLAMA,
    ContenderName.PRINTED,
    TRANSFORMERS,
    ContenderName.PER_LAYER,
    OURS_AWAKE,
    ContenderName.PER_EXPERT,
)

Say = Callable[[str], None]


def main() -> None:
    options = parser().parse_args()
    if options.data is None:
        print("measured: --data DIR is needed, the folder with prompts.jsonl", file=sys.stderr)
        sys.exit(2)
    if options.quick:
        quicken(options)
    # Told to end, it ends what it started, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    began = time.monotonic()
    measure(options, lambda line: print(f"{time.monotonic() - began:6.0f} s  {line}", flush=True))


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="folder with prompts.jsonl")
    parser.add_argument("--model", required=True, help="the demo model's folder")
    parser.add_argument("--out", type=Path, required=True, help="folder of the tables")
    parser.add_argument("--cache", type=Path, help=f"kept between runs ({DEFAULT})")
    parser.add_argument("--quick", action="store_true", help="a few tokens: shows nothing")
    parser.add_argument("--prompts", type=int, default=50)
    parser.add_argument("--tokens", type=int, default=200)
    parser.add_argument("--learn", type=int, default=60, help="prompts that plans are made from")
    parser.add_argument("--few", type=int, default=10, help="prompts of slow contenders")
    parser.add_argument("--fewest", type=int, default=2, help="prompts with a process per expert")
    parser.add_argument("--again", action="append", default=[], help="measure this one anew")
    parser.add_argument("--only", action="append", default=[], help="measure no other")
    parser.add_argument("--llama-server", help="llama.cpp's server, where it is not on the path")
    parser.add_argument(
        "--patience", type=float, default=0.0, help="seconds to wait for a quiet machine"
    )
    parser.add_argument("--tables", action="store_true", help="only write the tables again")
    return parser


def quicken(options: argparse.Namespace) -> None:
    options.prompts, options.tokens, options.learn = 2, 8, 8
    options.few, options.fewest = 2, 1


def measure(options: argparse.Namespace, say: Say) -> None:
    """Everything in order; what the cache holds is taken from there."""
    cache = Cache(options)
    source = resolve(options.model)
    texts = drawn_prompts(options.data, train=options.learn, test=options.prompts, seed=SEED)
    if not options.tables:
        carry_out(options, cache, source, texts, say)
    contenders, slo = planned(options, cache, source, say)
    runs = [(one, run) for one in contenders if (run := cache.run(one.name))]
    rivals = [run for name in RIVALS if (run := cache.run(name))]
    ground = ground_of(options, cache, source, say)
    stated: list[dict[str, object]] = []
    if runs and cache.routing.exists():
        stated = stated_rows(ground, runs[0][1], read(cache.routing), slo)
    write_tables(options.out, facts_of(options, ground.profile, slo), runs, rivals, stated)
    say(f"tables are in {options.out}")


def carry_out(
    options: argparse.Namespace, cache: Cache, source: Source, texts: PromptSides, say: Say
) -> None:
    wait_for_quiet(say, bound_seconds=options.patience)
    profile_of(source, quick=options.quick, say=say)
    recorded(options, cache, source, texts, say)
    contenders, _ = planned(options, cache, source, say)
    asking = Asking(source=source, prompts=texts.test, tokens=options.tokens, history=cache.history)
    ours = {str(contender.name): contender for contender in contenders}
    there = [name for name in ORDER if name in ours or name in RIVALS]
    for name in (name for name in there if wanted(options, cache, name)):
        run = run_of(name, ours.get(name), asking, options, say)
        if run is not None:
            cache.keep(run)
    first = cache.run(contenders[0].name)
    if first and not cache.routing.exists():
        say("the routing of the same prompts")
        keep_routing(cache.routing, source, texts.test, first, options.tokens)


def run_of(
    name: str, ours: Served | None, asking: Asking, options: argparse.Namespace, say: Say
) -> dict[str, Any] | None:
    """What came of a contender; None for a rival that is not here."""
    if ours is None:
        return ask_rival(name, asking, options, say)
    say(f"{name}: {len(ours.plan.functions)} functions")
    return asyncio.run(carried_out(ours, asking, say))


def profile_of(source: Source, *, quick: bool, say: Say) -> HardwareProfile:
    """The machine's profile, where `remoe serve` looks for it; measured where there is none."""
    path = profile_file(source)
    if not path.exists():
        say("the machine's profile")
        found = measured_profile(source, plan=None, quick=quick, say=say)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(found.to_json(), "utf-8")
    return HardwareProfile.from_json(path.read_text("utf-8"))


def recorded(
    options: argparse.Namespace, cache: Cache, source: Source, texts: PromptSides, say: Say
) -> None:
    """The history of the learned prompts."""
    if not cache.recorded.exists():
        say(f"recording {len(texts.train)} prompts to learn from")
        shutil.rmtree(cache.history, ignore_errors=True)  # of a run that broke off
        learned = [Prompt(kind="given", text=text) for text in texts.train]
        tokens = min(options.tokens, RECORDED_TOKENS)
        asyncio.run(record_prompts(source, learned, cache.history, tokens, 4))
        cache.recorded.touch()


def planned(
    options: argparse.Namespace, cache: Cache, source: Source, say: Say
) -> tuple[tuple[Served, ...], Slo]:
    """The contenders, and what is promised; made once."""
    found = recalled(cache.plans)
    if found is not None:
        return found
    ground = ground_of(options, cache, source, say)
    contenders, slo = served(ground, few=options.few, fewest=options.fewest), ground.slo
    kept(cache.plans, contenders, slo)
    for one in contenders:
        say(f"{one.name}: {one.plan.remote_share:.0%} of the experts in functions. {one.note}")
    return contenders, slo


def ground_of(options: argparse.Namespace, cache: Cache, source: Source, say: Say) -> Ground:
    """What plans are made from."""
    architecture = architecture_of(source.directory)
    return Ground(
        architecture=architecture,
        history=read_history(cache.history, architecture),
        profile=profile_of(source, quick=options.quick, say=say),
        output_tokens=options.tokens,
    )


def wanted(options: argparse.Namespace, cache: Cache, name: str) -> bool:
    chosen = not options.only or name in options.only
    return chosen and (name in options.again or cache.run(name) is None)


def facts_of(options: argparse.Namespace, profile: HardwareProfile, slo: Slo) -> Facts:
    return Facts(
        slo=slo,
        profile=f"measured: {profile.name}, {profile.source}",
        command="python tests/evaluation/measured.py --data DATA --model MODEL "
        "--out docs/evaluation",
        inputs=(
            f"{options.prompts} prompts of DATA/prompts.jsonl drawn by seed {SEED}, their first "
            f"500 characters as a chat, {options.tokens} tokens of answer each, the likeliest "
            f"ones, on past end tokens; plans and forecasts learned from {options.learn} others"
        ),
        seed=SEED,
        quick=options.quick,
    )


if __name__ == "__main__":
    main()
