"""Real routing of real prompts: runs prompts through a model and keeps tokens and experts.

    python tests/bench/routing_of_prompts.py MODEL --prompts FILE --out FILE.npz [--draw 1200]

FILE is .jsonl with `prompt` (or `text`) in each line. What is kept is the prompts themselves: it is
for measuring forecasts (`forecast_in_serving.py`), never for serving.
"""

from __future__ import annotations

import argparse
import json
import queue
import random
import time
from pathlib import Path

import numpy as np

from remoe_functions.gateway.tokenizer import Tokenizer
from remoe_functions.main.directory import StaticDirectory
from remoe_functions.main.request import (
    Failed,
    Finished,
    GenerateRequest,
    Prefilled,
    Sampling,
)
from remoe_functions.main.service import Service, ServiceOptions


def drawn(path, count, seed):
    lines = [json.loads(line) for line in path.open()]
    texts = list(dict.fromkeys(line.get("prompt") or line["text"] for line in lines))
    return random.Random(seed).sample(texts, min(count, len(texts)))


def as_chat(tokenizer, text):
    messages = [{"role": "user", "content": text}]
    rendered = tokenizer.template.render(messages, add_generation_prompt=True)
    return tuple(tokenizer.encode(rendered, add_special_tokens=False))


def routed(service, prompt, max_tokens, number):
    """Counts and experts of the prompt, counts of the answer."""
    events = queue.SimpleQueue()
    service.engine.submit(
        GenerateRequest(
            request_id=str(number),
            prompt=prompt,
            max_tokens=max_tokens,
            sampling=Sampling(temperature=0),
            report_routing=True,
        ),
        events.put,
    )
    return events


def collected(events):
    prefilled = None
    while True:
        match events.get(timeout=600):
            case Prefilled() as prefilled:
                pass
            case Finished(usage=usage):
                return prefilled, usage.decode
            case Failed(message=message):
                raise RuntimeError(message)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("--prompts", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--draw", type=int, default=1200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--max-prompt", type=int, default=400, help="longer prompts are left out")
    parser.add_argument("--max-tokens", type=int, default=16)
    parser.add_argument("--batch", type=int, default=8)
    arguments = parser.parse_args()
    tokenizer = Tokenizer.open(arguments.model)
    texts = drawn(arguments.prompts, arguments.draw, arguments.seed)
    prompts = [p for p in (as_chat(tokenizer, t) for t in texts) if len(p) <= arguments.max_prompt]
    options = ServiceOptions(model=arguments.model, max_batch=arguments.batch)
    service = Service(options, StaticDirectory({}), lambda _: None)
    service.start()
    began, found, waiting = time.monotonic(), [], []
    for number, prompt in enumerate(prompts):
        waiting.append(routed(service, prompt, arguments.max_tokens, number))
        if len(waiting) >= 2 * arguments.batch:
            found.append(collected(waiting.pop(0)))
        if number % 50 == 49:
            print(f"{number + 1} of {len(prompts)}, {time.monotonic() - began:.0f} s", flush=True)
            if number % 200 == 199:
                keep(arguments.out, prompts, found)
    found.extend(collected(events) for events in waiting)
    service.stop()
    keep(arguments.out, prompts, found)


def keep(path, prompts, found):
    prompts = prompts[: len(found)]
    partial = path.with_name(f"part-{path.name}")
    np.savez(
        partial,
        tokens=np.concatenate([np.array(p, np.int32) for p in prompts]),
        lengths=np.array([len(p) for p in prompts]),
        experts=np.concatenate([prefilled.experts for prefilled, _ in found]),
        decode=np.stack([decode for _, decode in found]),
    )
    partial.rename(path)


if __name__ == "__main__":
    main()
