"""Requests for the simulator: real prompts' routing, at lengths and times somebody asks for."""

from __future__ import annotations

import numpy as np

from remoe_planner.activation_history import ActivationHistory
from remoe_simulator.drawing.recorded_text import Length

_OWN_SHARE = 1 / 4
_LEAST_TEXTS, _LEAST_PART = 16, 8


def requests_of(
    trace,
    texts,
    *,
    prompt_tokens,
    output_tokens,
    arrivals,
    seed=0,
    chunk_tokens=2048,
    forecast=None,
):
    """SimulatedRequests one by one, in order of arrival; reproducible by the seed.

    `texts` are rows of the trace, the test side's; each request is drawn from one that is long
    enough for it (`suited`). `prompt_tokens` and `output_tokens` are numbers, or one for each
    arrival.
    `forecast` is a `foretold` forecast or None. Number n is the same whatever comes beside it.
    """
    arrivals = np.asarray(arrivals, float)
    prompts, outputs = (
        np.broadcast_to(of, arrivals.shape) for of in (prompt_tokens, output_tokens)
    )
    texts = np.asarray(texts)
    own = np.array([(len(t.prompt), len(t.answer)) for t in (trace.records[row] for row in texts)])
    for number, at in enumerate(arrivals):
        generator = np.random.default_rng([seed, number])
        wanted = int(prompts[number]), int(outputs[number]) - 1
        row = int(generator.choice(texts[suited(own, wanted)]))
        made = trace.record(row).request(
            f"{number:06d}",
            Length(
                prompt_tokens=int(prompts[number]),
                output_tokens=int(outputs[number]),
                chunk_tokens=chunk_tokens,
            ),
            arrival_seconds=float(at),
            generator=generator,
        )
        yield made if forecast is None else forecast.told(made, row)


def requests_in(trace, texts, arrivals, **more):
    """The same for `azure.Arrivals`."""
    return requests_of(
        trace,
        texts,
        prompt_tokens=arrivals.prompt_tokens,
        output_tokens=arrivals.output_tokens,
        arrivals=arrivals.seconds,
        **more,
    )


def recorded(requests):
    """What a service that served these had in its history; no vectors, which no plan looks at."""
    rows = [(r.prompt_counts, r.answer_counts, r.prompt_tokens, r.steps) for r in requests]
    prefill, decode, prompt_tokens, steps = zip(*rows, strict=True)
    return ActivationHistory(
        vectors=np.zeros((len(rows), 1), np.float32),
        prefill=np.stack(prefill).astype(np.uint32),
        decode=np.stack(decode).astype(np.uint32),
        prompt_tokens=np.array(prompt_tokens, np.uint32),
        decode_tokens=np.array(steps, np.uint32),
    )


def suited(own, wanted):
    """Places of the texts that are long enough to be drawn from.

    At least a quarter as long as the request, prompt and answer, so that it does not rest on a few
    tokens; but never fewer than an eighth of the texts, the longest. Answers that nobody recorded
    are drawn from prompts and hinder nothing.

    Args:
        own: [texts, 2], tokens of each prompt and answer.
        wanted: those of the request.
    """
    reach = np.where(own > 0, own / np.maximum(wanted, 1), np.inf).min(axis=1)
    few = min(len(own), max(_LEAST_TEXTS, len(own) // _LEAST_PART))
    enough = min(_OWN_SHARE, np.sort(reach)[-few])
    return np.flatnonzero(reach >= enough)
