"""Routing of a tiny model, and learners of it."""

from __future__ import annotations

import numpy as np

from remoe_functions.gateway.learner import Learner
from remoe_functions.main.request import Prefilled
from remoe_functions.main.schema import _body_of
from remoe_planner.forecasting.shape import RoutingShape

SHAPE = RoutingShape(layers=2, experts=4, top_k=1)
WORDS = np.arange(320)
SALT = b"0123456789abcdef"


def experts_of(tokens, shape=SHAPE):
    """Each token has its own experts; in the second layer the one before it counts, too."""
    ids = np.asarray(tokens, np.int64)
    before = np.concatenate([[0], ids[:-1]])
    layers = [ids % shape.experts, (ids + before) % shape.experts]
    return np.stack(layers, axis=1)[:, :, None].astype(np.uint8)


def counts_of(experts, shape=SHAPE):
    layers = [np.bincount(experts[:, k].ravel(), minlength=shape.experts) for k in range(2)]
    return np.stack(layers).astype(np.uint32)


def report(tokens):
    """Main's line about a prompt."""
    experts = experts_of(tokens)
    return _body_of(Prefilled(counts=counts_of(experts), experts=experts))["prefill"]


def told_of(job):
    return report(job["prompt"])


def always(expert):
    """Main's line about prompts that use this expert of every layer alone."""

    def told(job):
        experts = np.full((len(job["prompt"]), 2, 1), expert, np.uint8)
        return _body_of(Prefilled(counts=counts_of(experts), experts=experts))["prefill"]

    return told


def prompts(count, *, length=12, seed=0):
    rng = np.random.default_rng(seed)
    return [tuple(rng.integers(0, 40, length).tolist()) for _ in range(count)]


def learner(count=0, *, salt=SALT, shape=SHAPE, words=WORDS, **knobs):
    made = Learner(shape, words, salt, **knobs)
    for tokens in prompts(count):
        made.learn(tokens, experts_of(tokens))
    return made
