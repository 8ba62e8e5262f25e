"""What is believed of requests before they run, learned from the side that may be learned from.

*Ours* is the product's own: of prompts whose tokens are known the joint forecaster, else (tokens
that were not recorded, models that nobody recorded) that of prompts' vectors; of answers the
vectors' where answers were recorded, else what is believed of the prompt, as the gateway does.
*Mean* and *uniform* are what is left without it; the *oracle* is told the request's own counts.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from enum import StrEnum
from hashlib import blake2b
from typing import Any

import numpy as np
from evaluation.requested import requests_of

from remoe_functions.checkpoint.checkpoint import Checkpoint
from remoe_functions.encoder.token_sum import TokenSumEncoder
from remoe_functions.encoder.words import WordsEncoder
from remoe_functions.gateway.tokenizer import Tokenizer
from remoe_planner.forecasting.after_prefill import Continuation, fit_after_prefill
from remoe_planner.forecasting.choice import ForecasterSpec, new_forecaster
from remoe_planner.forecasting.forecaster import Method
from remoe_planner.forecasting.outlook import distribution
from remoe_planner.forecasting.routed_prompt import Query

_PROMPT, _ANSWER = 0, 1
_KEPT_VERSION = b"2"
_FIT_SEED, _FIT_REQUESTS = 11, 200


class Belief(StrEnum):
    """Ways to foretell requests."""

    OURS = "ours"
    MEAN = "mean"
    UNIFORM = "uniform"
    ORACLE = "oracle"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Forecast:
    """What is believed of the test side: two functions from a row to [layers, experts]."""

    belief: Belief
    prompt: Any = None
    answer: Any = None

    def told(self, request, row):
        """The request, made of this row, with its forecasts."""
        if self.belief is Belief.ORACLE:
            prompt, answer = (
                distribution(counts.astype(float))
                for counts in (request.prompt_counts, request.answer_counts)
            )
        else:
            prompt, answer = self.prompt(row), self.answer(row)
        return replace(request, prompt_forecast=prompt, answer_forecast=answer)


def foretold(trace, sides, belief=Belief.OURS, *, vectors=None, cache=None):
    """The forecast of test rows, learned from the train rows alone.

    Args:
        trace: the model's.
        sides: which rows are which.
        belief: the way to foretell.
        vectors: [texts, width] of the texts; hashed words where none are given.
        cache: folder that keeps what is slow to fit; None for none.
    """
    belief = Belief(belief)
    if belief is Belief.ORACLE:
        return Forecast(belief=belief)
    if belief is Belief.UNIFORM:
        return _constant(belief, *(np.full(trace.shape.table, 1 / trace.shape.experts),) * 2)
    if belief is Belief.MEAN:
        return _constant(belief, *(_mean(trace, sides.train, phase) for phase in _phases(trace)))
    vectors = word_vectors(trace.texts) if vectors is None else vectors
    tables = [_kept(trace, sides, phase, vectors, cache) for phase in sorted(set(_phases(trace)))]
    prompts, answers = tables[0], tables[-1]
    return Forecast(belief=belief, prompt=prompts.__getitem__, answer=answers.__getitem__)


def after_prefill(trace, sides, *, prompt_tokens, output_tokens, vectors=None):
    """What prompts' counts are worth in the forecasts of answers, for requests of these lengths.

    Fitted as the gateway does: on the later of the train rows, foretold from the earlier.
    """
    vectors = word_vectors(trace.texts) if vectors is None else vectors
    earlier, later = np.array_split(np.random.default_rng(_FIT_SEED).permutation(sides.train), 2)
    phase = _phases(trace)[-1]
    forecaster = _of_vectors(trace, earlier, phase, vectors)

    def told(row):
        return forecaster.forecast(_query(trace, row, vectors)).frequencies

    requests = requests_of(
        trace,
        later,
        prompt_tokens=prompt_tokens,
        output_tokens=output_tokens,
        arrivals=np.arange(_FIT_REQUESTS),
        seed=_FIT_SEED,
        forecast=Forecast(belief=Belief.OURS, prompt=told, answer=told),
    )
    return fit_after_prefill(
        [
            Continuation(
                forecast=request.answer_forecast,
                counts=request.prompt_counts.astype(float),
                rest=distribution(request.answer_counts.astype(float)),
            )
            for request in requests
        ]
    )


def word_vectors(texts):
    """Vectors that need no model: hashed words."""
    encoder = WordsEncoder()
    return np.stack([encoder.encode((), text) for text in texts])


def token_vectors(texts, directory):
    """The paper's vectors, of a checkpoint's tokenizer and table of embeddings."""
    encoder = TokenSumEncoder.open(Checkpoint.open(directory))
    tokenizer = Tokenizer.open(directory)
    ids = (tokenizer.encode(text, add_special_tokens=False) for text in texts)
    return np.stack([encoder.encode(tuple(tokens), "") for tokens in ids])


def _constant(belief, prompt, answer):
    return Forecast(belief=belief, prompt=lambda row: prompt, answer=lambda row: answer)


def _phases(trace):
    """What the forecasts of prompts and of answers are learned from."""
    return (_PROMPT, _ANSWER) if trace.answers_recorded else (_PROMPT, _PROMPT)


def _mean(trace, rows, phase):
    """Of all tokens: a mean of prompts would be one of short prompts."""
    return distribution(sum(trace.counts(row)[phase] for row in rows).astype(float))


def _kept(trace, sides, phase, vectors, cache):
    """Forecasts by test row, fitted once and kept."""
    path = None if cache is None else cache / f"{_key(trace, sides, phase, vectors)}.npy"
    if path is not None and path.exists():
        found = np.load(path)
    else:
        found = _learned(trace, sides, phase, vectors)
        if path is not None:
            cache.mkdir(parents=True, exist_ok=True)
            draft = path.with_name(f"{path.stem}.{os.getpid()}.npy")
            np.save(draft, found)
            draft.rename(path)
    return dict(zip(sides.test.tolist(), distribution(found.astype(float)), strict=True))


def _key(trace, sides, phase, vectors):
    digest = blake2b(_KEPT_VERSION, digest_size=12)
    digest.update(f"{trace.name} {trace.shape} {phase} {len(trace)}".encode())
    resized = () if trace.resizing is None else (trace.resizing.codes, trace.resizing.ends)
    for array in (sides.train, sides.test, vectors, *resized):
        digest.update(np.ascontiguousarray(array).tobytes())
    return f"foretold-{digest.hexdigest()}"


def _learned(trace, sides, phase, vectors):
    """Forecasts [test rows, layers, experts]."""
    if phase == _PROMPT and trace.tokens is not None and trace.resizing is None:
        forecaster = _of_tokens(trace, sides.train, vectors)
    else:
        forecaster = _of_vectors(trace, sides.train, phase, vectors)
    queries = (_query(trace, row, vectors) for row in sides.test)
    return np.stack([forecaster.forecast(q).frequencies.astype(np.float32) for q in queries])


def _of_tokens(trace, rows, vectors):
    spec = ForecasterSpec(shape=trace.shape, width=vectors.shape[1], words=trace.words)
    forecaster = new_forecaster(Method.JOINT, spec)
    past = [trace.routed(row, vectors[row]) for row in rows]
    for prompt in past:
        forecaster.observe(prompt)
    forecaster.refit(past)
    return forecaster


def _of_vectors(trace, rows, phase, vectors):
    spec = ForecasterSpec(shape=trace.shape, width=vectors.shape[1])
    forecaster = new_forecaster(Method.VECTOR, spec)
    for row in rows:
        counts = trace.counts(row)[phase]
        if counts.any():
            forecaster.learn(_query(trace, row, vectors), distribution(counts.astype(float)))
    forecaster.refit()
    return forecaster


def _query(trace, row, vectors):
    tokens = np.zeros(len(trace.records[row].prompt), np.int64)
    return Query(tokens=tokens if trace.tokens is None else trace.tokens[row], vector=vectors[row])
