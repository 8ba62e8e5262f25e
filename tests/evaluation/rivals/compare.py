"""The rivals beside each other: times, memory, and for how many tokens they say the same.

    python tests/evaluation/rivals/compare.py --model MODEL --data DATA --llama-server PATH

Prompts take turns over the rivals, which all stay up, so that what the machine does meanwhile
happens to all. Medians; a Markdown table. Nothing else should be running.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from itertools import takewhile
from pathlib import Path
from statistics import median

from tokenizers import Tokenizer

sys.path.insert(0, str(Path(__file__).parents[2]))

from evaluation.rivals.llama_cpp import LlamaCpp
from evaluation.rivals.rival import Rival
from evaluation.rivals.timing import Timing
from evaluation.rivals.transformers_alone import TransformersAlone

PROMPT_CHARACTERS = 500
HEADS = ("rival", "TTFT, ms", "TPOT, ms", "tokens/s", "RSS, MiB", "start, s", "tokens alike")


def main() -> None:
    options = _parser().parse_args()
    rivals = {name: made(name, options) for name in options.rivals.split(",")}
    prompts = prompts_of(options.data / "prompts.jsonl", options.count)
    with ExitStack() as stack:
        for rival in rivals.values():
            stack.enter_context(rival).start(options.model)
            print(f"{rival.name}: {rival.settings}", flush=True)
        asked = [
            {name: rival.ask(prompt, options.tokens) for name, rival in rivals.items()}
            for prompt in prompts
        ]
        print_table(rivals, asked, Tokenizer.from_file(str(options.model / "tokenizer.json")))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True, help="checkpoint folder")
    parser.add_argument("--data", type=Path, required=True, help="folder with prompts.jsonl")
    parser.add_argument("--llama-server", help="llama.cpp's server, unless it is on the path")
    parser.add_argument("--keep", type=Path, help="folder that keeps converted files")
    parser.add_argument(
        "--rivals", default="grouped_mm,bf16,q8_0", help="ways of either; see made()"
    )
    parser.add_argument("--count", type=int, default=10, help="prompts")
    parser.add_argument("--tokens", type=int, default=200, help="tokens of each answer")
    parser.add_argument("--threads", type=int, default=2)
    return parser


def made(name: str, options: argparse.Namespace) -> Rival:
    """A rival by its setting: bf16, q8_0, either with -nofa or -nocache; or transformers' ways."""
    weights, *without = name.split("-")
    if weights not in ("bf16", "q8_0"):
        return TransformersAlone(threads=options.threads, experts=name)
    return LlamaCpp(
        server=options.llama_server,
        weights=weights,
        flash_attention="nofa" not in without,
        prompt_cache="nocache" not in without,
        threads=options.threads,
        keep=options.keep,
    )


def prompts_of(file: Path, count: int) -> list[str]:
    """Every so many-th, for a file's prompts come ordered by where they are from."""
    lines = file.read_text().splitlines()
    chosen = lines[:: max(1, len(lines) // count)][:count]
    return [json.loads(line)["prompt"][:PROMPT_CHARACTERS] for line in chosen]


def print_table(
    rivals: dict[str, Rival], asked: Sequence[dict[str, Timing]], tokenizer: Tokenizer
) -> None:
    first = next(iter(rivals))
    print("\n| " + " | ".join(HEADS) + " |\n|" + "---|" * len(HEADS))
    for name, rival in rivals.items():
        ttft = median(times[name].ttft_seconds for times in asked)
        tpot = median(times[name].tpot_seconds for times in asked)
        same = median(alike(times[name].text, times[first].text, tokenizer) for times in asked)
        figures = (ttft * 1e3, tpot * 1e3, 1 / tpot, rival.memory_bytes() / 2**20)
        cells = [f"{figure:.1f}" for figure in (*figures, rival.start_seconds, same)]
        print(f"| {rival.name} ({name}) | " + " | ".join(cells) + " |")


def alike(text: str, other: str, tokenizer: Tokenizer) -> int:
    """Tokens from the start that two answers have in common."""
    pairs = zip(tokenizer.encode(text).ids, tokenizer.encode(other).ids, strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


if __name__ == "__main__":
    main()
