"""Small worlds of routing: texts of topics, each with its own busy experts."""

import numpy as np

from remoe_planner.forecasting.shape import RoutingShape
from remoe_simulator.drawing.recorded_text import RecordedText

SHAPE = RoutingShape(layers=3, experts=16, top_k=4)


def popularity(shape, *, topics=4, seed=0):
    """Shares [topics, layers, experts]: some experts are busier, and each topic has its own."""
    generator = np.random.default_rng(seed)
    common = generator.dirichlet(np.full(shape.experts, 2.0), shape.layers)
    own = generator.dirichlet(np.full(shape.experts, 0.5), (topics, shape.layers))
    return 0.5 * common + 0.5 * own


def picks(shares, tokens, top_k, generator):
    """[tokens, layers, top_k] different experts, each as likely as its share (Gumbel's top k)."""
    noise = generator.gumbel(size=(tokens, *shares.shape))
    return np.argsort(-(np.log(shares) + noise), axis=-1)[..., :top_k].astype(np.uint8)


def routed_texts(count=24, *, shape=SHAPE, tokens=40, answer_tokens=0, head=0, seed=0):
    """So many texts, topic after topic."""
    shares, generator = popularity(shape, seed=seed), np.random.default_rng(seed)
    return [
        RecordedText(
            shape=shape,
            prompt=picks(shares[n % len(shares)], tokens, shape.top_k, generator),
            answer=picks(shares[n % len(shares)], answer_tokens, shape.top_k, generator),
            head=head,
        )
        for n in range(count)
    ]


def counted(picked, shape):
    """Assignments [layers, experts] of picks [tokens, layers, top_k]."""
    cells = picked.astype(np.int64) + np.arange(shape.layers)[:, None] * shape.experts
    return np.bincount(cells.ravel(), minlength=shape.cells).reshape(shape.table)
