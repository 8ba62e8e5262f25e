"""A tiny model whose routing follows the token and the one before it."""

from __future__ import annotations

import numpy as np

from remoe_planner.forecasting.context_forecaster import ContextForecaster, ContextKnobs
from remoe_planner.forecasting.routed_prompt import Query, RoutedPrompt
from remoe_planner.forecasting.shape import RoutingShape

SHAPE = RoutingShape(layers=3, experts=8, top_k=2)
VOCABULARY = 40


def routed(tokens, *, noise=0.0, seed=0, shape=SHAPE, vector=None):
    """A prompt of these tokens, routed by fixed rules, a share of choices by chance."""
    ids = np.asarray(tokens, np.int64)
    before = np.concatenate([[0], ids[:-1]])
    layers, picks = np.arange(shape.layers), np.arange(shape.top_k)
    base = ids[:, None] * 5 + layers[None, :] * (1 + before[:, None] % 3)
    experts = (base[:, :, None] + picks * 3) % shape.experts
    rng = np.random.default_rng([seed, len(ids)])
    chance = rng.random(experts.shape[:2]) < noise
    shift = np.where(chance, rng.integers(0, shape.experts, chance.shape), 0)
    experts = (experts + shift[:, :, None]) % shape.experts
    return RoutedPrompt(query=Query(tokens=ids, vector=vector), experts=experts)


def prompts(count, *, seed=0, noise=0.2, length=(4, 30)):
    """Prompts of topics: each draws its tokens from its own part of the vocabulary."""
    rng = np.random.default_rng(seed)
    made = []
    for i in range(count):
        low = int(rng.integers(0, 3)) * 10
        tokens = rng.integers(low, low + 20, rng.integers(*length))
        made.append(routed(tokens, noise=noise, seed=seed * 10_007 + i))
    return made


def forecaster(history=(), **knobs):
    made = ContextForecaster(SHAPE, knobs=ContextKnobs(**knobs))
    for prompt in history:
        made.observe(prompt)
    return made
