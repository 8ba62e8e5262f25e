"""What a request has of not being alone: rows in its steps, prompts between them, a line before.

The line before prefill is that of an M/G/1 queue: prompts are computed one at a time, a step
after each chunk. Its mean is Pollaczek and Khinchine's, its tail is taken to be exponential.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from remoe_planner.queueing.batch import ALL_BUT_FULL, TINY, Batch
from remoe_planner.queueing.luck import LONGEST, met_at
from remoe_planner.queueing.stream import Stream

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Company:
    """What a stream adds to a request; arrays are [...].

    Attributes:
        load: as in `Batch`.
        rows: decoded together, a mean over tokens; 1 where nobody else comes.
        late_rows: the same at the percentile.
        prompts_seconds: of others' prompts, for each token.
        late_prompts_seconds: the same at the percentile.
        line_seconds: before its first chunk, and of others' steps between its chunks, a mean.
        late_line_seconds: the same at the percentile, for the longest prompt.
    """

    load: Floats
    rows: Floats
    late_rows: Floats
    prompts_seconds: Floats
    late_prompts_seconds: Floats
    line_seconds: Floats
    late_line_seconds: Floats

    @classmethod
    def of(
        cls,
        stream: Stream,
        prefill_seconds: Floats,
        steps: Floats,
        *,
        replicas: Floats,
        percentile: float,
    ) -> Self:
        """The company at one replica under a stream.

        Args:
            stream: of all replicas.
            prefill_seconds: [...], of a typical prompt's passes.
            steps: [n, ...], seconds of a step with `stream.rows`.
            replicas: [...], that share the stream.
            percentile: of the requests, 0 to 1.
        """
        batch = Batch.of(stream, prefill_seconds, steps, replicas)
        # In steps that have no more rows than one nobody slows anybody down.
        room = stream.most_rows - 1
        slope = (steps[-1] - steps[0]) / room if room else np.full_like(steps[0], np.inf)
        each = prefill_seconds / stream.tokens
        whole = np.minimum(each / np.maximum(slope, TINY), LONGEST)
        line = _Line.of(stream, batch, prefill_seconds)
        met = _met(percentile, batch, line.used, whole)
        late_rows = np.maximum(1 + np.minimum(met / (1 + whole), room), batch.rows)
        # Who comes while a prompt is computed has his own between that one's steps.
        beside = 1 - batch.empty * (1 - line.used)
        prompts = batch.rate * prefill_seconds * beside / np.maximum(1 - batch.empty, TINY)
        prompts = np.minimum(prompts, ALL_BUT_FULL)
        # Where all slots are taken a prompt begins when an answer ends.
        most = each * stream.most_rows if room else np.zeros_like(each)
        mean = np.minimum(seconds_at(steps, stream, batch.rows) * prompts / (1 - prompts), most)
        late = each * met / (1 + whole) if room else mean
        wait = line.mean + (stream.chunks - 0.5) * batch.stepping_seconds
        between = stream.longest_chunks * seconds_at(steps, stream, late_rows - 1)
        return cls(
            load=batch.load,
            rows=batch.rows,
            late_rows=late_rows,
            prompts_seconds=mean,
            late_prompts_seconds=np.clip(late, mean, most),
            line_seconds=wait,
            late_line_seconds=np.maximum(line.at(percentile) + between, wait),
        )


def seconds_at(steps: Floats, stream: Stream, rows: Floats) -> Floats:
    """[...], seconds of steps [n, ...] with these rows, 0 to `most_rows`; none take no time."""
    known = np.append(0.0, stream.rows)
    below = np.minimum(rows.astype(np.intp), len(known) - 2)
    share = (rows - known[below]) / (known[below + 1] - known[below])
    low = np.take_along_axis(steps, np.maximum(below - 1, 0)[None], axis=0)[0]
    high = np.take_along_axis(steps, below[None], axis=0)[0]
    low = np.where(below > 0, low, 0.0)
    return np.asarray(low + (high - low) * np.clip(share, 0.0, 1.0))


def _met(percentile: float, batch: Batch, prefilling: Floats, prompt: Floats) -> Floats:
    """Others' work at the percentile; who slows others down has more of them beside himself."""
    others = batch.others + prefilling
    alike = met_at(percentile, others, prompt)
    mean = others * (1 + prompt)
    wider = np.sqrt(batch.variance / np.maximum(batch.others, TINY))
    return np.asarray(np.maximum(mean + wider * (alike - mean), 0.0))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Line:
    """Waiting for prefill and for a slot.

    Attributes:
        used: share of the time in which a prompt is on its way through the main model.
        chance: of waiting at all.
        mean: seconds.
    """

    used: Floats
    chance: Floats
    mean: Floats

    @classmethod
    def of(cls, stream: Stream, batch: Batch, prefill_seconds: Floats) -> Self:
        held = prefill_seconds + stream.chunks * batch.stepping_seconds
        used = np.minimum(batch.rate * held, ALL_BUT_FULL)
        squares = held * (1 + stream.prompt_deviation**2)
        return cls(
            used=used,
            chance=1 - (1 - used) * (1 - batch.full),
            mean=used * squares / (2 * (1 - used)) + batch.line_seconds,
        )

    def at(self, percentile: float) -> Floats:
        """Seconds at the percentile."""
        later = np.log(np.maximum(self.chance / (1 - percentile), 1.0))
        return np.asarray(self.mean / np.maximum(self.chance, TINY) * later)
