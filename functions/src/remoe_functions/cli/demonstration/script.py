"""The demo's prompts, in rounds; none of them is among the sample prompts of the history."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """Prompts asked at the same time, and why."""

    title: str
    prompts: tuple[str, ...]


ROUNDS = (
    Round(
        title="The functions are asleep: the first prompt wakes those it needs",
        prompts=("What is the capital of France, and what is it known for?",),
    ),
    Round(
        title="What the first prompt woke is awake",
        prompts=("Write a Python function that adds two numbers.",),
    ),
    Round(
        title="Another kind of prompt",
        prompts=("A box has 4 red and 6 blue balls. How many balls are in 3 boxes?",),
    ),
    Round(
        title="Three at once share the model's steps",
        prompts=(
            "List four animals that live in the desert.",
            "Write two lines of a poem about snow.",
            "How can I fall asleep more easily?",
        ),
    ),
)


def all_prompts() -> Iterator[str]:
    """Every prompt in the order in which answers are reported."""
    return (prompt for part in ROUNDS for prompt in part.prompts)
