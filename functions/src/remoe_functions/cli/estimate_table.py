"""Estimates side by side: the plan, and what a user would weigh it against."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from rich.table import Table

from remoe_functions.cli.duration import written
from remoe_planner.demand.slo import Slo
from remoe_planner.estimate import Estimate
from remoe_planner.memory import GIB


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One way to serve the model.

    Attributes:
        name: for the table's head.
        estimate: what it is expected to do.
        note: what the reader must know of it, such as a profile that was stated, not measured.
    """

    name: str
    estimate: Estimate
    note: str = ""


def estimate_table(candidates: Sequence[Candidate], slo: Slo, currency: str) -> Table:
    """A column for each candidate, the plan first; what misses the SLO is marked."""
    table = Table(title="Estimate", caption=_caption(candidates, slo, currency))
    table.add_column("")
    for candidate in candidates:
        table.add_column(candidate.name, justify="right", no_wrap=True)
    for label, cell in _lines(slo):
        table.add_row(label, *(cell(candidate.estimate) for candidate in candidates))
    return table


def estimate_rows(candidates: Iterable[Candidate]) -> dict[str, dict[str, object]]:
    """The same for scripts, by the candidates' names."""
    return {c.name: c.estimate.to_mapping() | {"note": c.note} for c in candidates}


def _lines(slo: Slo) -> Iterable[tuple[str, Callable[[Estimate], str]]]:
    at = f"p{100 * slo.percentile:g}"
    yield "TTFT, mean", lambda e: written(e.latency.ttft_seconds)
    yield (
        f"TTFT, {at}",
        lambda e: _against(e.latency.ttft_at_percentile_seconds, slo.ttft_seconds),
    )
    yield "TPOT, mean", lambda e: written(e.latency.tpot_seconds)
    yield (
        f"TPOT, {at}",
        lambda e: _against(e.latency.tpot_at_percentile_seconds, slo.tpot_seconds),
    )
    yield "cold start, with chance", _cold
    yield "load of the main model", _load
    yield "decoded together, mean", lambda e: f"{e.load.rows:.2f}" if e.load else ""
    yield "main model memory", lambda e: _gib(e.main_memory_bytes)
    yield "GPU memory", lambda e: _gib(e.main_gpu_bytes)
    yield "functions' memory", lambda e: _gib(e.function_memory_bytes)
    yield "cost a request, awake", lambda e: f"{e.awake.per_request:.3g}"
    yield "cost a request, busy", lambda e: f"{e.busy.per_request:.3g}"
    yield "cost an hour, awake", lambda e: f"{e.awake.per_hour:.3g}"
    yield "cost an idle hour", lambda e: f"{e.awake.idle_per_hour:.3g}"
    yield "cost a million tokens, awake", lambda e: f"{e.awake.per_million_tokens:.3g}"


def _against(value: float, bound: float | None) -> str:
    missed = bound is not None and value > bound
    return f"[red]{written(value)} ✗[/]" if missed else written(value)


def _load(estimate: Estimate) -> str:
    load = estimate.load
    if load is None:
        return ""
    told = f"{load.share:.0%}"
    if load.most_replicas > 1:
        told += f", {load.replicas} of {load.most_replicas}"
    return f"[red]{told} ✗[/]" if load.overloaded else told


def _cold(estimate: Estimate) -> str:
    latency = estimate.latency
    return f"{written(latency.cold_start_seconds)}, {latency.cold_start_probability:.0%}"


def _gib(size: int) -> str:
    return f"{size / GIB:.2f} GiB" if size else ""


def _caption(candidates: Sequence[Candidate], slo: Slo, currency: str) -> str:
    promised = [
        f"{name} ≤ {written(bound)}"
        for name, bound in (("TTFT", slo.ttft_seconds), ("TPOT", slo.tpot_seconds))
        if bound is not None
    ]
    lines = [f"costs in {currency}; profile: {candidates[0].estimate.profile}"]
    if promised:
        lines.append(f"✗ misses the SLO: {', '.join(promised)} at p{100 * slo.percentile:g}")
    if any(c.estimate.load is not None and c.estimate.load.overloaded for c in candidates):
        lines.append("✗ load: requests come faster than they are served, and wait without end")
    lines += [f"{c.name}: {c.note}." for c in candidates if c.note]
    return "\n".join(lines)
