"""Rivals in the same run: those of other people, asked the same by the same client.

They have no account of their own, so they are billed as a main model is: their resident memory at
its most, for as long as they work, and awake also in the rests, since they do not sleep.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from evaluation.measured_run import Asking
from evaluation.quiet import Others
from evaluation.rivals.rival import Rival, RivalError
from evaluation.rivals.transformers_alone import TransformersAlone

TRANSFORMERS, LLAMA = "transformers alone", "llama.cpp"
RIVALS = (TRANSFORMERS, LLAMA)

Say = Callable[[str], None]


def ask_rival(
    name: str, asking: Asking, options: argparse.Namespace, say: Say
) -> dict[str, Any] | None:
    """Every prompt (slow ones: few), one after the other; None where the rival is not here."""
    try:
        with rival_of(name, options) as rival:
            rival.start(asking.source.directory)
            return asked(rival, name, asking, options, say)
    except (RivalError, ImportError) as error:
        say(f"{name}: not here: {error}")
        return None


def rival_of(name: str, options: argparse.Namespace) -> Rival:
    if name == TRANSFORMERS:
        return TransformersAlone()
    from evaluation.rivals.llama_cpp import LlamaCpp

    return LlamaCpp(server=options.llama_server)


def asked(
    rival: Rival, name: str, asking: Asking, options: argparse.Namespace, say: Say
) -> dict[str, Any]:
    prompts = asking.prompts[: options.few if name == TRANSFORMERS else None]
    requests, timeline, others, began = [], [], Others(), time.monotonic()
    for number, prompt in enumerate(prompts):
        sent_at = time.monotonic()
        timing = rival.ask(prompt, asking.tokens)
        elapsed = time.monotonic() - sent_at
        requests.append(
            asdict(timing)
            | {"request": number, "sent_at": sent_at, "elapsed_seconds": elapsed, "rested": None}
        )
        memory, theirs = rival.memory_bytes(), others.share()
        timeline.append({"at": time.monotonic(), "memory_bytes": memory, "others_share": theirs})
        say(f"{name}: {number + 1} of {len(prompts)}, {1e3 * timing.tpot_seconds:.1f} ms a token")
    return {
        "name": name,
        "began": began,
        "seconds": time.monotonic() - began,
        "start_seconds": rival.start_seconds,
        "settings": rival.settings,
        "requests": requests,
        "timeline": timeline,
    }
