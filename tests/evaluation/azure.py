"""When requests come, and how long they are: the Azure trace of 2023, coding service.

It holds 57 minutes: 8,819 requests, 2.57 a second. A *day* of it is those 57 minutes stretched to
24 hours, every pause 25 times as long: its bursts and pauses keep their ratio, and no hour of it
is a night. Thinned, every n-th request comes at its true time instead.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

FILE = "azure_llm_2023_code.csv"
DAY_SECONDS = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrivals:
    """Requests in order of time, [n] each: seconds since the first, and lengths in tokens."""

    seconds: np.ndarray
    prompt_tokens: np.ndarray
    output_tokens: np.ndarray
    said: str = ""

    def __len__(self):
        return len(self.seconds)

    def part(self, chosen, said=""):
        """Those of a slice or of rows, in order; the first comes at 0."""
        seconds = self.seconds[chosen]
        return replace(
            self,
            seconds=seconds - (seconds[0] if len(seconds) else 0.0),
            prompt_tokens=self.prompt_tokens[chosen],
            output_tokens=self.output_tokens[chosen],
            said=f"{self.said}{said or f', {len(seconds):,} of them'}",
        )

    def stretched(self, factor):
        """With pauses so many times as long."""
        if not factor > 0:
            raise ValueError(f"stretch must be > 0, got {factor}")
        said = f"{self.said}, every pause {factor:.4g} times as long"
        return replace(self, seconds=self.seconds * factor, said=said)


def read_arrivals(data):
    """The trace as it is, of the folder that holds its file."""
    table = np.genfromtxt(data / FILE, delimiter=",", dtype=str, skip_header=1, ndmin=2)
    times = np.array([stamp.replace(" ", "T") for stamp in table[:, 0]], "datetime64[ns]")
    order = np.argsort(times, kind="stable")
    seconds = (times[order] - times[order[0]]).astype(np.int64) / 1e9
    return Arrivals(
        seconds=seconds,
        prompt_tokens=table[order, 1].astype(np.int64),
        output_tokens=table[order, 2].astype(np.int64),
        said=f"Azure 2023 code: {len(table):,} requests of {seconds[-1] / 60:.0f} minutes",
    )


def read_day(data, *, stretch=None, limit=None, every=1):
    """A day: the trace stretched to 24 hours, or by a factor.

    `every` keeps each n-th request only; `limit` the first so many of those, at the same pace, and
    so a part of the day.
    """
    if every < 1:
        raise ValueError(f"every must be >= 1, got {every}")
    found = read_arrivals(data)
    factor = DAY_SECONDS / float(found.seconds[-1]) if stretch is None else stretch
    found = found if every == 1 else found.part(slice(None, None, every), f", one in {every}")
    found = found if factor == 1 else found.stretched(factor)
    if limit is None or limit >= len(found):
        return found
    return found.part(slice(limit), f", the first {limit:,}")


def steady(count, *, prompt_tokens, output_tokens, seconds_apart):
    """Requests of one length, evenly apart: for sweeps in which time plays no part."""
    lengths = f"{prompt_tokens}:{output_tokens} tokens"
    return Arrivals(
        seconds=np.arange(count) * float(seconds_apart),
        prompt_tokens=np.full(count, prompt_tokens),
        output_tokens=np.full(count, output_tokens),
        said=f"{count} requests of {lengths}, {seconds_apart:g} s apart",
    )
