"""One answer of a rival, and its times as a client saw them."""

from __future__ import annotations

from dataclasses import dataclass

from remoe_functions.cli.asking import Answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Seconds from sending to the first text, then per further token; counts as the rival says."""

    ttft_seconds: float
    tpot_seconds: float
    prompt_tokens: int
    output_tokens: int
    text: str

    @classmethod
    def of(cls, answer: Answer) -> Timing:
        """The times of an answer of two tokens or more.

        Raises:
            ValueError: fewer came, so there is no time per further token.
        """
        if answer.ttft_seconds is None or answer.tpot_seconds is None:
            raise ValueError(f"an answer of {answer.completion_tokens} tokens has no TPOT")
        return cls(
            ttft_seconds=answer.ttft_seconds,
            tpot_seconds=answer.tpot_seconds,
            prompt_tokens=answer.prompt_tokens,
            output_tokens=answer.completion_tokens,
            text=answer.text,
        )

    @property
    def tokens_per_second(self) -> float:
        """While decoding; the prompt is in the time to the first."""
        return 1.0 / self.tpot_seconds
