"""Training the deltas: the text's next token, and on its own answers the dense model's opinion.

Everything but the deltas is frozen, the routers too: a gate that learned would soon send all
tokens to the experts that learned first.
"""

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import LlamaForCausalLM

from upcycling.batches import Batch
from upcycling.student import Mixture, as_dense


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """The knobs of the training."""

    epochs: int = 1
    learning_rate: float = 3e-3
    warmup_steps: int = 5
    gradient_norm: float = 1.0
    imitation: float = 8.0
    """What a token of the dense model's own answers counts, against 1 for a token of text."""
    seed: int = 0

    def __post_init__(self) -> None:
        if self.learning_rate <= 0:
            raise ValueError(f"learning_rate must be > 0, got {self.learning_rate}")

    def rate_factor(self, step: int, steps: int) -> float:
        """Linear warm-up, then a cosine down to nothing."""
        if step < self.warmup_steps:
            return (step + 1) / self.warmup_steps
        return 0.5 + 0.5 * math.cos(math.pi * step / steps)


def learn(
    model: LlamaForCausalLM,
    mixtures: list[Mixture],
    batches: Sequence[Batch],
    recipe: Recipe,
    report: Callable[[int, int, float], None],
) -> None:
    """Train the mixtures' deltas in place."""
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=recipe.learning_rate, weight_decay=0.0)
    order = _order(batches, recipe)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: recipe.rate_factor(step, len(order))
    )
    for step, batch in enumerate(order):
        loss = _loss(model, mixtures, batch, recipe.imitation)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(trained, recipe.gradient_norm)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        report(step + 1, len(order), loss.item())


def _order(batches: Sequence[Batch], recipe: Recipe) -> list[Batch]:
    shuffle = random.Random(recipe.seed)  # noqa: S311
    return [b for _ in range(recipe.epochs) for b in shuffle.sample(batches, len(batches))]


def _loss(model: LlamaForCausalLM, mixtures: list[Mixture], batch: Batch, weight: float) -> Tensor:
    """Weighted mean: KL to the teacher on its own answers, cross-entropy on all other text."""
    own = batch.own_answer[:, 1:]
    text = batch.real[:, 1:] & ~own
    with torch.no_grad(), as_dense(mixtures):
        teacher = functional.log_softmax(_logits(model, batch, own), dim=-1)
    with torch.autocast("cpu", torch.bfloat16):
        hidden = model.model(batch.tokens).last_hidden_state[:, :-1]
        spoken = model.lm_head(hidden[own]).float()
        written = model.lm_head(hidden[text]).float()
    imitation = functional.kl_div(
        functional.log_softmax(spoken, dim=-1), teacher, reduction="sum", log_target=True
    )
    prediction = functional.cross_entropy(written, batch.targets[text], reduction="sum")
    return (weight * imitation + prediction) / (weight * own.sum() + text.sum())


def _logits(model: LlamaForCausalLM, batch: Batch, where: Tensor) -> Tensor:
    with torch.autocast("cpu", torch.bfloat16):
        hidden = model.model(batch.tokens).last_hidden_state[:, :-1]
        logits: Tensor = model.lm_head(hidden[where]).float()
        return logits
