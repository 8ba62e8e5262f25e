"""The text the model is upcycled on: prompts in chat format with an answer each.

Held-out prompts are told by a hash of their text, so that no order or seed can leak them.
"""

import hashlib
import json
import random
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import jinja2
from tokenizers import Tokenizer

from remoe_functions.demo_model.dense import Vocabulary
from remoe_functions.demo_model.description import tokenizer

HELD_OUT_SHARE = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """One line of the prompts file."""

    text: str
    source: str
    answer: str | None

    @property
    def held_out(self) -> bool:
        digest = hashlib.sha256(self.text.encode()).digest()
        return int.from_bytes(digest[:4], "big") < HELD_OUT_SHARE * 2**32


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A conversation in tokens. The shared prefix, the system prompt, is nobody's own text."""

    tokens: list[int]
    prefix: int
    prompt: int
    own_answer: bool
    source: str


class Chat:
    """Text to tokens and back, by the model's own tokenizer and chat template."""

    def __init__(self, vocabulary: Vocabulary, *, end_token: int) -> None:
        self._tokenizer = Tokenizer.from_str(json.dumps(tokenizer(vocabulary)))
        # Writes a model's prompt, not a web page: nothing is to be escaped.
        self._template = jinja2.Template(vocabulary.chat_template)
        self.end_token = end_token
        self.prefix = len(self._encode(self._render("").split("<|im_start|>user")[0]))

    def prompt(self, text: str) -> list[int]:
        return self._encode(self._render(text))

    def answer(self, text: str) -> list[int]:
        return [*self._encode(text), self.end_token]

    def text(self, tokens: list[int]) -> str:
        return str(self._tokenizer.decode(tokens, skip_special_tokens=False))

    def _render(self, text: str) -> str:
        messages = [{"role": "user", "content": text}]
        return str(self._template.render(messages=messages, add_generation_prompt=True))

    def _encode(self, text: str) -> list[int]:
        return list(self._tokenizer.encode(text).ids)


def read_prompts(path: Path) -> list[Prompt]:
    """All prompts of a JSONL file with the keys prompt, source and, for some, answer."""
    records = (json.loads(line) for line in path.read_text("utf-8").split("\n") if line.strip())
    return [
        Prompt(text=r["prompt"], source=r.get("source", "unknown"), answer=r.get("answer"))
        for r in records
    ]


def choose(prompts: Iterable[Prompt], per_source: int, seed: int) -> list[Prompt]:
    """Up to so many prompts of each source, in a random order without a preference."""
    shuffled = sorted(prompts, key=lambda prompt: prompt.text)
    random.Random(seed).shuffle(shuffled)  # noqa: S311
    taken: dict[str, int] = {}
    chosen = []
    for prompt in shuffled:
        taken[prompt.source] = taken.get(prompt.source, 0) + 1
        if taken[prompt.source] <= per_source:
            chosen.append(prompt)
    return chosen
