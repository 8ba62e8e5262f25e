"""Routers by spherical k-means: a token goes to the experts whose cluster it points to.

The clusters are those of the FFN's real input, so that routing follows what a text is about
before anything was trained; the scale keeps the two chosen experts from being all or nothing.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional

_ROUNDS = 25


def spherical_kmeans(points: Tensor, clusters: int, generator: torch.Generator) -> Tensor:
    """Unit centroids [clusters, dimensions] of points by their direction (Dhillon, Modha 2001)."""
    directions = functional.normalize(points, dim=-1)
    centroids = _spread_start(directions, clusters, generator)
    for _ in range(_ROUNDS):
        nearest = (directions @ centroids.T).argmax(dim=-1)
        sums = functional.one_hot(nearest, clusters).to(directions.dtype).T @ directions
        empty = sums.norm(dim=-1) == 0
        centroids = torch.where(empty[:, None], centroids, functional.normalize(sums, dim=-1))
    return centroids


def temper(centroids: Tensor, points: Tensor, first_weight: float) -> Tensor:
    """Router weights whose better expert gets, at the median token, this weight of the two.

    Mixtral's weights of the two are a softmax over their logits, so w = sigmoid(scale * gap).
    """
    best = (points @ centroids.T).topk(2, dim=-1).values
    gap = (best[:, 0] - best[:, 1]).median().item()
    return centroids * (math.log(first_weight / (1 - first_weight)) / gap)


def _spread_start(directions: Tensor, clusters: int, generator: torch.Generator) -> Tensor:
    """k-means++: each further start is drawn by its distance to those before it."""
    first = torch.randint(len(directions), (1,), generator=generator)
    starts = directions[first]
    for _ in range(clusters - 1):
        distance = (1 - (directions @ starts.T).amax(dim=-1)).clamp(min=0)
        drawn = torch.multinomial(distance, 1, generator=generator)
        starts = torch.cat([starts, directions[drawn]])
    return starts
