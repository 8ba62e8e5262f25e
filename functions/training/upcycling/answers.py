"""The dense model's own answers, so that the mixture learns to speak as its teacher does."""

from collections.abc import Sequence

import torch
from transformers import LlamaForCausalLM

from upcycling.corpus import Chat, Prompt, Sample

_BATCH = 48
_TEMPERATURE = 0.7  # greedy answers of a model this small run in circles


def converse(
    model: LlamaForCausalLM, chat: Chat, prompts: Sequence[Prompt], *, longest: int, answer: int
) -> list[Sample]:
    """A sample for each prompt short enough: the given answer where there is one, else its own.

    Of the prompts with a given answer every second is answered by the model all the same.
    """
    fitting = [p for p in prompts if len(chat.prompt(p.text)) <= longest]
    given = [p for index, p in enumerate(fitting) if p.answer and index % 2 == 0]
    asked = sorted(
        (p for p in fitting if p not in given), key=lambda prompt: len(chat.prompt(prompt.text))
    )
    samples = [_sample(chat, p, chat.answer(p.answer or "")[:answer], own=False) for p in given]
    for start in range(0, len(asked), _BATCH):
        batch = asked[start : start + _BATCH]
        replies = _generate(model, [chat.prompt(p.text) for p in batch], chat.end_token, answer)
        samples += [_sample(chat, p, r, own=True) for p, r in zip(batch, replies, strict=True)]
    return samples


def _sample(chat: Chat, prompt: Prompt, answer: list[int], *, own: bool) -> Sample:
    asked = chat.prompt(prompt.text)
    return Sample(
        tokens=asked + answer,
        prefix=chat.prefix,
        prompt=len(asked),
        own_answer=own,
        source=prompt.source,
    )


@torch.inference_mode()
def _generate(
    model: LlamaForCausalLM, prompts: list[list[int]], end: int, longest: int
) -> list[list[int]]:
    """Sampled answers to prompts padded on the left, each cut after its end token."""
    width = max(map(len, prompts))
    padded = torch.tensor([[end] * (width - len(p)) + p for p in prompts])
    lengths = torch.tensor([len(p) for p in prompts])
    mask = torch.arange(width) >= (width - lengths)[:, None]
    output = model.generate(
        padded,
        attention_mask=mask.long(),
        max_new_tokens=longest,
        do_sample=True,
        temperature=_TEMPERATURE,
        pad_token_id=end,
    )
    return [_until(reply, end) for reply in output[:, width:].tolist()]


def _until(tokens: list[int], end: int) -> list[int]:
    return tokens[: tokens.index(end) + 1] if end in tokens else tokens
