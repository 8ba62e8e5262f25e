"""The comparison as tables for a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from rich.table import Table

from remoe_functions.cli.answer_line import money, seconds
from remoe_functions.cli.asking import Answer
from remoe_functions.cli.demonstration.comparison import Comparison, Side
from remoe_functions.cli.demonstration.script import all_prompts
from remoe_planner.memory import MIB


def answers_table(comparison: Comparison) -> Table:
    """A line for each prompt: where experts ran, and times and cost on both services."""
    currency = comparison.planned.prices.currency
    table = Table(title="Each prompt on both: the planned service | every expert resident")
    table.add_column("Prompt", min_width=12, max_width=16, no_wrap=True, overflow="ellipsis")
    headings = (
        "Local/rem./\nfallback %",
        "First token\ns",
        "Each after\nms",
        f"Cost\n10⁻⁶ {currency}",
    )
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
    both = zip(
        all_prompts(),
        comparison.planned.measured.answers,
        comparison.resident.measured.answers,
        strict=True,
    )
    for prompt, one, other in both:
        table.add_row(prompt, _where(one), *_cells(one, other))
    return table


def totals_table(comparison: Comparison) -> Table:
    """What all of it took and cost, on both services."""
    table = Table(title="All of it")
    table.add_column("")
    table.add_column("Planned", justify="right")
    table.add_column("Resident", justify="right")
    for name, figure in _totals():
        table.add_row(name, figure(comparison.planned), figure(comparison.resident))
    return table


def footnotes(comparison: Comparison) -> str:
    """What the figures rest on."""
    count = len(comparison.planned.measured.answers)
    return (
        f"{comparison.same_answers} of {count} answers are the same text on both. "
        f"Prices: {comparison.planned.prices.source}."
    )


def _totals() -> Iterator[tuple[str, Callable[[Side], str]]]:
    yield "time, pauses included", lambda side: seconds(side.measured.window_seconds)
    yield "cost while requests were worked on", lambda s: _money(s, s.measured.request_cost)
    yield "cost of the whole time, idle included", lambda side: _money(side, side.window.cost)
    yield "GiB·s of the whole time", lambda side: f"{side.window.gib_seconds:.1f}"
    yield "cost of an idle hour (computed)", lambda side: _money(side, side.idle_hour_cost)
    yield "memory given to the main model", lambda s: _mib(s.plan.main_memory_bytes)
    yield "resident memory of the main process", lambda s: _mib(s.measured.main_resident_bytes)
    yield "resident memory of all functions", lambda s: _mib(s.measured.functions_resident_bytes)
    yield "functions woken", lambda side: str(sum(side.measured.wakes.values()))


def _where(answer: Answer) -> str:
    if (receipt := answer.receipt) is None:
        return "?"
    counts = (receipt.local, receipt.remote, receipt.fallback)
    return "/".join(f"{100 * receipt.share(count):.0f}" for count in counts)


def _cells(one: Answer, other: Answer) -> tuple[str, ...]:
    def pair(figure: Callable[[Answer], float | None], form: str) -> str:
        values = (figure(one), figure(other))
        return " | ".join("?" if value is None else format(value, form) for value in values)

    return (
        pair(lambda answer: answer.ttft_seconds, ".2f"),
        pair(lambda answer: answer.tpot_seconds and 1000 * answer.tpot_seconds, ".0f"),
        pair(lambda answer: 1e6 * answer.receipt.cost if answer.receipt else None, ".0f"),
    )


def _money(side: Side, amount: float) -> str:
    return money(amount, side.prices.currency)


def _mib(size: int) -> str:
    return f"{size / MIB:,.0f} MiB"
