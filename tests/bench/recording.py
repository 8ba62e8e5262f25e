"""What recording costs the engine: tokens per second with it and without, in one run.

    python tests/bench/recording.py MODEL [--rounds 4] [--batch 4]

One loaded model serves rounds of like requests, alternating: no history and no reported routing;
history alone; history and reported routing, as a gateway that learns asks for. Each pair of
neighbors in time gives a ratio, so that a busy machine's drift falls out of the median.
"""

from __future__ import annotations

import argparse
import queue
import tempfile
import time
from pathlib import Path

import numpy as np

from remoe_functions.history.reader import read_history
from remoe_functions.main.directory import StaticDirectory
from remoe_functions.main.request import Failed, Finished, GenerateRequest, Prefilled, Sampling
from remoe_functions.main.schema import line_of
from remoe_functions.main.service import Service, ServiceOptions

WAYS = {"off": (False, False), "history": (True, False), "history and report": (True, True)}


def prompts(count, length, seed):
    rng = np.random.default_rng(seed)
    return [tuple(rng.integers(100, 40_000, length).tolist()) for _ in range(count)]


def round_of(service, asked, max_tokens, report):
    """Seconds from the first request to the last answer, of wall and of CPU; bytes of reports."""
    waiting, reported = [], 0
    began, busy = time.perf_counter(), time.process_time()
    for number, prompt in enumerate(asked):
        events = queue.SimpleQueue()
        service.engine.submit(
            GenerateRequest(
                request_id=str(number),
                prompt=prompt,
                max_tokens=max_tokens,
                sampling=Sampling(temperature=0),
                ignore_eos=True,
                report_routing=report,
            ),
            events.put,
        )
        waiting.append(events)
    for events in waiting:
        while not isinstance(event := events.get(timeout=600), Finished):
            if isinstance(event, Failed):
                raise RuntimeError(event.message)
            if isinstance(event, Prefilled):
                reported += len(line_of(event))
    return (time.perf_counter() - began, time.process_time() - busy), reported


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--prompt", type=int, default=100)
    parser.add_argument("--tokens", type=int, default=16)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        options = ServiceOptions(
            model=arguments.model, history=Path(folder), max_batch=arguments.batch
        )
        service = Service(options, StaticDirectory({}), lambda _: None)
        recorder = service._recorder
        service.start()
        round_of(service, prompts(arguments.batch, arguments.prompt, 999), arguments.tokens, False)
        times: dict[str, list[tuple[float, float]]] = {name: [] for name in WAYS}
        reports = []
        for number in range(arguments.rounds):
            for name, (records, reporting) in WAYS.items():
                service._recorder = recorder if records else None
                asked = prompts(arguments.batch, arguments.prompt, 10 * number + len(reports))
                seconds, size = round_of(service, asked, arguments.tokens, reporting)
                times[name].append(seconds)
                if reporting:
                    reports.append(size / len(asked))
        service._recorder = recorder
        service.stop()
        from remoe_functions.checkpoint.checkpoint import Checkpoint

        kept = read_history(Path(folder), Checkpoint.open(arguments.model).architecture)
        size = sum(path.stat().st_size for path in Path(folder).iterdir())
    tokens = arguments.batch * (arguments.prompt + arguments.tokens)
    off = np.array(times["off"])
    print("| recording | tokens/s, median | of off, median (least-most) | CPU time of off |")
    print("|---|---|---|---|")
    for name, seconds in times.items():
        wall, cpu = (off / np.array(seconds)).T
        rate = tokens / np.median(np.array(seconds)[:, 0])
        span = f"{np.median(wall):.3f} ({wall.min():.3f}-{wall.max():.3f})"
        more = f"{np.median(1 / cpu):.3f} ({(1 / cpu).min():.3f}-{(1 / cpu).max():.3f})"
        print(f"| {name} | {rate:.1f} | {span} | {more} |")
    print(f"{kept.requests} requests recorded, {size / kept.requests:.0f} bytes each on disk;")
    print(f"a report of {arguments.prompt} tokens is a line of {np.mean(reports):.0f} bytes")


if __name__ == "__main__":
    main()
