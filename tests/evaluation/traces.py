"""Recorded routing of real models, as evaluation uses it: texts, and the experts of their tokens.

`load` reads a recorded model, `resized` makes the trace of one that nobody recorded, `trace_for`
does whichever a model needs. `marked` says in a sentence what of it is not as it was recorded.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace

import numpy as np
from evaluation.sides import Sides, halves

from remoe_planner.activation_history import ActivationHistory
from remoe_planner.demand.routing import Routing
from remoe_planner.forecasting.context_keys import word_classes
from remoe_planner.forecasting.routed_prompt import Query, RoutedPrompt
from remoe_planner.forecasting.shape import RoutingShape
from remoe_simulator.drawing.bootstrap import continued
from remoe_simulator.drawing.recorded_text import RecordedText
from remoe_simulator.drawing.resizing import Resizing

LEAST_TOKENS = 8
"""Shorter prompts are left out: they say little of a model."""

_FITTED_TOKENS = 32
_FITTED_PROMPTS = 400
_RESIZING_SEED = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """A file of recorded routing.

    `spelled` names its tokens, `head` counts those that begin every text. `prompt_share` is the
    part of a text that is taken for its prompt, the rest for its answer; None where the file says.
    `asked` tells whether the tokens are those that were asked, rather than those of the answer.
    """

    file: str
    spelled: str
    experts: int
    head: int = 0
    prompt_share: float | None = None
    asked: bool = True


RECORDED = {
    "deepseek-v2-lite": Recorded(
        file="dsv2lite_puffin", spelled="tokens", experts=64, head=1, prompt_share=2 / 3
    ),
    "gpt-oss-20b": Recorded(
        file="gptoss20b",
        spelled="generated_tokens",
        experts=32,
        prompt_share=1 / 3,
        asked=False,
    ),
    "qwen1.5-moe": Recorded(file="qwen15moe_gsm8k25", spelled="token_ids", experts=60),
}

MARKED = {
    "deepseek-v2-lite": (
        "Prompts' routing is recorded, answers' is not: the last third of a prompt stands in for "
        "its answer, which goes astray from the rest as far as recorded answers of GPT-OSS do."
    ),
    "gpt-oss-20b": (
        "Answers' routing is recorded; the first third of an answer, which mostly repeats the "
        "question, stands in for its prompt."
    ),
    "qwen1.5-moe": "Recorded, but 25 prompts and 5 of 24 layers only.",
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Trace:
    """Prompts and where their tokens went.

    `records` are each text's tokens by expert, `tokens` the ids of each prompt's tokens where they
    are known (None: what is recorded is not the prompt's own), `words` their classes.
    """

    name: str
    shape: RoutingShape
    texts: list[str]
    records: list[RecordedText]
    tokens: list[np.ndarray] | None
    words: np.ndarray | None
    marked: str
    resizing: Resizing | None = None
    _counts: dict = field(default_factory=dict)
    _resized: dict = field(default_factory=dict)

    def __len__(self):
        return len(self.records)

    @property
    def answers_recorded(self):
        return len(self.records[0].answer) > 0

    def record(self, row):
        """The text as this trace's model routes it; made when it is first asked for."""
        if self.resizing is None:
            return self.records[row]
        if row not in self._resized:
            source = self.records[row]
            made = {
                n: _small(self.resizing.picks(getattr(source, n))) for n in ("prompt", "answer")
            }
            self._resized[row] = replace(source, shape=self.shape, **made)
        return self._resized[row]

    def counts(self, row):
        """Assignments [2, layers, experts] of the recorded prompt, and of the recorded answer."""
        if row not in self._counts:
            text = self.record(row)
            self._counts[row] = np.stack(
                [_counted(part, self.shape) for part in (text.prompt, text.answer)]
            )
        return self._counts[row]

    def routed(self, row, vector=None):
        """The prompt as forecasters learn from it."""
        text = self.record(row)
        ids = self.tokens[row] if self.tokens is not None else np.zeros(len(text.prompt), np.int64)
        return RoutedPrompt(query=Query(tokens=ids, vector=vector), experts=text.prompt)


def load(data, model):
    """The trace of a recorded model; `data` is the folder that holds `routing`."""
    found = RECORDED[model]
    arrays = np.load(data / "routing" / f"{found.file}.npz")
    with (data / "routing" / f"{found.file}.jsonl").open(encoding="utf-8") as file:
        lines = [json.loads(line) for line in file]
    routed, offsets = arrays["topk_ids"], arrays["offsets"]
    shape = RoutingShape(layers=routed.shape[1], experts=found.experts, top_k=routed.shape[2])
    ids: dict = {}
    texts, records, tokens = [], [], []
    for line, start, end in zip(lines, offsets, offsets[1:], strict=False):
        rows = routed[start:end]
        cut = _prompt_length(found, line, len(rows))
        if cut < LEAST_TOKENS:
            continue
        texts.append(line["prompt"])
        parts = {"prompt": rows[:cut], "answer": rows[cut:]}
        records.append(RecordedText(shape=shape, head=found.head, **parts))
        spelled = [ids.setdefault(token, len(ids)) for token in line[found.spelled][:cut]]
        tokens.append(np.array(spelled, np.int64))
    named = isinstance(next(iter(ids)), str)
    return Trace(
        name=model,
        shape=shape,
        texts=texts,
        records=records,
        tokens=tokens if found.asked else None,
        words=word_classes(list(ids)) if named else None,
        marked=MARKED[model],
    )


def resized(trace, shape, *, name):
    """The trace of a model of another shape, which nobody recorded.

    Which experts go together and how busy they are is told by all texts: it makes the model that
    both sides are routed by, and tells a planner nothing.
    """
    if shape == trace.shape:
        return trace
    lengths = np.array([len(text.prompt) for text in trace.records])
    fitted = np.flatnonzero(lengths >= min(_FITTED_TOKENS, lengths.max()))[:_FITTED_PROMPTS]
    counts = np.stack([trace.counts(row)[0] for row in fitted])
    if name == trace.name:
        said = f"Of {name} {trace.shape.layers} layers were recorded, and stand in for the others."
    else:
        said = f"No trace of {name} is at hand: {trace.name}'s, resized to its layers and experts."
    return replace(
        trace,
        name=name,
        shape=shape,
        marked=f"{said} {trace.marked}",
        resizing=Resizing.of(counts, trace.shape, shape, seed=_RESIZING_SEED),
        _counts={},
        _resized={},
    )


def trace_for(data, architecture, *, source="deepseek-v2-lite"):
    """The trace of an architecture: its own where it was recorded whole, else the source's."""
    layers, experts = architecture.shape
    shape = RoutingShape(layers=layers, experts=experts, top_k=architecture.top_k)
    if architecture.name in RECORDED:
        own = load(data, architecture.name)
        if own.shape == shape:
            return own
        return resized(own, shape, name=architecture.name)
    return resized(load(data, source), shape, name=architecture.name)


def sides(trace, seed=0):
    """Halves of a trace by chance; of each text all prompts stand on one side."""
    train, test = halves(trace.texts, seed)
    return Sides(train=train, test=test)


def history_of(trace, rows, *, answer_tokens=None, seed=0):
    """What a service that served these rows had recorded.

    Answers that were not recorded are drawn from their prompts, as requests' are: `answer_tokens`
    steps each, or none.
    """
    counts = np.stack([trace.counts(row) for row in rows]).astype(np.uint32)
    lengths = np.array([[len(trace.records[r].prompt), len(trace.records[r].answer)] for r in rows])
    if not trace.answers_recorded and answer_tokens:
        for place, row in enumerate(rows):
            counts[place, 1] = _drawn_answer(trace.record(row), answer_tokens, [seed, int(row)])
        lengths[:, 1] = answer_tokens
    return ActivationHistory(
        vectors=np.zeros((len(rows), 1), np.float32),
        prefill=counts[:, 0],
        decode=counts[:, 1],
        prompt_tokens=lengths[:, 0].astype(np.uint32),
        decode_tokens=lengths[:, 1].astype(np.uint32),
    )


def routing_of(trace, rows, *, answer_tokens=None):
    """What a planner is told of the routing."""
    return Routing.of(history_of(trace, rows, answer_tokens=answer_tokens))


def _drawn_answer(text, tokens, seed):
    generator = np.random.default_rng(seed)
    return _counted(
        text.prompt[continued(len(text.prompt), tokens, generator, head=text.head)], text.shape
    )


def _prompt_length(found, line, rows):
    if found.prompt_share is None:
        return min(line["n_prefill"], rows)
    return round(found.prompt_share * rows)


def _small(picks):
    return picks.astype(np.uint8) if picks.size == 0 or picks.max() < 256 else picks


def _counted(picks, shape):
    cells = picks.astype(np.int64) + np.arange(shape.layers)[:, None] * shape.experts
    return np.bincount(cells.ravel(), minlength=shape.cells).reshape(shape.table)
