"""What happened behind an answer, in one or two lines for a terminal."""

from __future__ import annotations

from remoe_functions.cli.asking import Answer
from remoe_functions.cli.receipt import Receipt


def describe(answer: Answer) -> str:
    """Times as the client saw them, then where experts ran and what it cost, if known."""
    times = f"{answer.completion_tokens} tokens · first after {seconds(answer.ttft_seconds)}"
    if answer.tpot_seconds is not None:
        times += f" · then {1000 * answer.tpot_seconds:.0f} ms each"
    return times if answer.receipt is None else f"{times}\n{describe_receipt(answer.receipt)}"


def describe_receipt(receipt: Receipt) -> str:
    """Where experts ran, which functions woke, GiB-seconds and cost."""
    parts = [f"experts: {where(receipt)}"]
    if receipt.woken:
        parts.append(f"woke {', '.join(receipt.woken)}")
    parts.append(f"{receipt.gib_seconds:.2f} GiB·s")
    parts.append(money(receipt.cost, receipt.currency))
    return " · ".join(parts)


def where(receipt: Receipt) -> str:
    """Shares of the assignments by where they ran; what did not happen is left out."""
    counts = {"local": receipt.local, "remote": receipt.remote, "fallback": receipt.fallback}
    told = [f"{receipt.share(count):.0%} {name}" for name, count in counts.items() if count]
    return ", ".join(told) or "none"


def seconds(value: float | None) -> str:
    """A time for people; a question mark where none was measured."""
    return "?" if value is None else f"{value:.2f} s"


def money(amount: float, currency: str) -> str:
    """An amount as small as these, with its three leading digits."""
    return f"{amount:.3g} {currency}" if amount else f"0 {currency}"
