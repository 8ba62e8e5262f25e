"""The figures of a load: percentiles of times, throughput, where experts ran."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from rich.table import Table

from remoe_functions.cli.answer_line import money
from remoe_functions.cli.load import Outcome
from remoe_functions.cli.receipt import Receipt

_PERCENTILES = (50, 90, 99)


@dataclass(frozen=True, slots=True, kw_only=True)
class Percentiles:
    """A spread of seconds."""

    p50: float
    p90: float
    p99: float
    mean: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """Where the experts of all answers ran, as shares, and what they cost together."""

    local: float
    remote: float
    fallback: float
    cost: float
    currency: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadReport:
    """What is said of a load; a spread is None where nothing was measured."""

    requests: int
    failed: int
    concurrency: int
    elapsed_seconds: float
    prompt_tokens: int
    completion_tokens: int
    tokens_per_second: float
    requests_per_second: float
    ttft_seconds: Percentiles | None
    tpot_seconds: Percentiles | None
    elapsed_request_seconds: Percentiles | None
    placement: Placement | None
    first_failure: str | None


def report_of(outcome: Outcome) -> LoadReport:
    """The figures of an outcome."""
    answers, seconds = outcome.answers, outcome.elapsed_seconds
    completion_tokens = sum(answer.completion_tokens for answer in answers)
    return LoadReport(
        requests=outcome.load.requests,
        failed=len(outcome.failures),
        concurrency=outcome.load.concurrency,
        elapsed_seconds=seconds,
        prompt_tokens=sum(answer.prompt_tokens for answer in answers),
        completion_tokens=completion_tokens,
        tokens_per_second=completion_tokens / seconds if seconds else 0.0,
        requests_per_second=len(answers) / seconds if seconds else 0.0,
        ttft_seconds=_percentiles(answer.ttft_seconds for answer in answers),
        tpot_seconds=_percentiles(answer.tpot_seconds for answer in answers),
        elapsed_request_seconds=_percentiles(answer.elapsed_seconds for answer in answers),
        placement=_placement([a.receipt for a in answers if a.receipt is not None]),
        first_failure=outcome.failures[0] if outcome.failures else None,
    )


def table_of(report: LoadReport) -> Table:
    """The report for a terminal."""
    table = Table(
        title=f"{report.requests} requests, {report.concurrency} at once: "
        f"{report.tokens_per_second:.1f} tokens/s"
    )
    table.add_column("Milliseconds")
    for heading in ("p50", "p90", "p99", "mean"):
        table.add_column(heading, justify="right")
    spreads = (
        ("to the first token", report.ttft_seconds),
        ("per token after", report.tpot_seconds),
        ("whole answer", report.elapsed_request_seconds),
    )
    for name, spread in spreads:
        table.add_row(name, *_cells(spread))
    return table


def summary_of(report: LoadReport) -> str:
    """What the table leaves out, in one line."""
    parts = [f"{report.completion_tokens} tokens in {report.elapsed_seconds:.1f} s"]
    if report.failed:
        parts.append(f"{report.failed} failed: {report.first_failure}")
    if (placement := report.placement) is not None:
        parts.append(
            f"experts {placement.local:.0%} local, {placement.remote:.0%} remote, "
            f"{placement.fallback:.0%} fallback"
        )
        parts.append(money(placement.cost, placement.currency))
    return "; ".join(parts)


def _cells(spread: Percentiles | None) -> tuple[str, ...]:
    if spread is None:
        return ("?",) * 4
    return tuple(f"{1000 * v:.0f}" for v in (spread.p50, spread.p90, spread.p99, spread.mean))


def _percentiles(values: Iterable[float | None]) -> Percentiles | None:
    known = [value for value in values if value is not None]
    if not known:
        return None
    p50, p90, p99 = np.percentile(known, _PERCENTILES).tolist()
    return Percentiles(p50=p50, p90=p90, p99=p99, mean=float(np.mean(known)))


def _placement(receipts: list[Receipt]) -> Placement | None:
    total = sum(receipt.assignments for receipt in receipts)
    if not total:
        return None
    return Placement(
        local=sum(receipt.local for receipt in receipts) / total,
        remote=sum(receipt.remote for receipt in receipts) / total,
        fallback=sum(receipt.fallback for receipt in receipts) / total,
        cost=sum(receipt.cost for receipt in receipts),
        currency=receipts[0].currency,
    )
