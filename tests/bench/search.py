"""The search among past prompts: recall, time, bytes and additions, by the size of the history.

    python tests/bench/search.py --served FILE.npz --model DIR [--most 1000000] [--json FILE]

Vectors are real: token sums of the prompts that routing_of_prompts.py collected, seen from their
center. More than there are, are made of them: two real prompts are mixed (the second for 30 % of
the length on average) and Gaussian noise of 20 % of the length is added, from a fixed seed. Queries
are made alike, of prompts kept out of the history. Recall is of the 15 nearest, against numpy's
brute force. Times are of one thread.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"

import faiss
import numpy as np

from remoe_functions.checkpoint.checkpoint import Checkpoint
from remoe_functions.encoder.token_sum import TokenSumEncoder
from remoe_planner.forecasting.approximate_index import ApproximateIndex, ApproximateKnobs
from remoe_planner.forecasting.cluster_tree import ClusterTree
from remoe_planner.forecasting.exact_index import ExactIndex
from remoe_planner.forecasting.similarity import unit_rows

ALPHA = 15
CHUNK = 50_000


class FaissIndex:
    """Any FAISS recipe, for what the product does not use."""

    def __init__(self, units, recipe, **settings):
        self.index = faiss.index_factory(units.shape[1], recipe, faiss.METRIC_INNER_PRODUCT)
        if hasattr(self.index, "hnsw"):
            self.index.hnsw.efConstruction = settings["construction"]
            self.index.hnsw.efSearch = settings["search"]
        self.index.train(units[:65_536])
        self.index.add(units)
        if "probes" in settings:
            faiss.extract_index_ivf(self.index).nprobe = settings["probes"]

    @property
    def nbytes(self):
        return len(faiss.serialize_index(self.index))

    def nearest(self, unit, alpha):
        cosines, rows = self.index.search(unit[None], alpha)
        return rows[0], cosines[0]

    def put(self, row, unit):
        self.index.add(unit[None])


def contenders(count):
    """Makers by name; the slow builders only where they end within minutes."""
    cells = ApproximateKnobs().cells_of(count)
    found = {"exact, numpy": ExactIndex, "exact, FAISS": lambda u: FaissIndex(u, "Flat")}
    if count <= 100_000:
        found["the paper's tree"] = ClusterTree
        found["HNSW 32"] = lambda u: FaissIndex(u, "HNSW32", construction=80, search=96)
    if count >= 10_000:
        for probes in (8, 16, 32, 64):
            found[f"IVF {cells}, SQ8, {probes} probes"] = lambda u, p=probes: ApproximateIndex(
                u, ApproximateKnobs(probes=p)
            )
        found[f"IVF {cells}, SQ4, 32 probes"] = lambda u: ApproximateIndex(
            u, ApproximateKnobs(probes=32, bits=4)
        )
    if count >= 100_000:
        found[f"IVF {cells}, PQ96, 32 probes"] = lambda u: FaissIndex(
            u, f"IVF{cells},PQ96", probes=32
        )
    return found


def made(real, count, seed):
    """So many unit vectors like the real ones."""
    rng = np.random.default_rng(seed)
    found = np.empty((count, real.shape[1]), np.float32)
    for start in range(0, count, CHUNK):
        n = min(CHUNK, count - start)
        first, second = real[rng.integers(0, len(real), (2, n))]
        share = rng.beta(3, 7, (n, 1)).astype(np.float32)
        noise = rng.standard_normal(first.shape, np.float32) * (0.2 / real.shape[1] ** 0.5)
        found[start : start + n] = unit_rows((1 - share) * first + share * second + noise)
    return found


def truth(units, queries):
    """The nearest rows of each query by brute force, in chunks."""
    best = np.zeros((len(queries), 0))
    rows = np.zeros((len(queries), 0), np.int64)
    for start in range(0, len(units), CHUNK):
        cosines = queries @ units[start : start + CHUNK].T
        best = np.concatenate([best, cosines], axis=1)
        rows = np.concatenate(
            [rows, np.broadcast_to(np.arange(cosines.shape[1]) + start, cosines.shape)], axis=1
        )
        order = np.argsort(-best, axis=1, kind="stable")[:, :ALPHA]
        best, rows = (np.take_along_axis(x, order, axis=1) for x in (best, rows))
    return rows


def measured(make, units, queries, near):
    start = time.perf_counter()
    index = make(units)
    build = time.perf_counter() - start
    nbytes, times, recall = index.nbytes, [], []
    index.nearest(queries[0], ALPHA)
    for query, expected in zip(queries, near, strict=True):
        start = time.perf_counter()
        rows, _ = index.nearest(query, ALPHA)
        times.append(time.perf_counter() - start)
        recall.append(len(np.intersect1d(rows, expected)) / ALPHA)
    start = time.perf_counter()
    if not isinstance(index, ClusterTree):
        for i, query in enumerate(queries):
            index.put(len(units) + i, query)
    adding = (time.perf_counter() - start) / len(queries)
    return {
        "recall": float(np.mean(recall)),
        "p50_ms": float(np.median(times) * 1e3),
        "p99_ms": float(np.quantile(times, 0.99) * 1e3),
        "build_s": build,
        "bytes": int(nbytes),
        "add_us": adding * 1e6,
    }


def real_vectors(served, model):
    arrays = np.load(served)
    encoder = TokenSumEncoder.open(Checkpoint.open(model))
    ends = np.cumsum(arrays["lengths"])
    rows = np.split(arrays["tokens"], ends[:-1])
    units = unit_rows(np.stack([encoder.encode(tokens.tolist(), "") for tokens in rows]))
    return unit_rows(units - units.mean(axis=0))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--served", type=Path, required=True)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--least", type=int, default=1000)
    parser.add_argument("--most", type=int, default=100_000, help="prompts in the largest history")
    parser.add_argument("--only", default="", help="contenders whose names hold this")
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--json", type=Path, help="also write the figures here")
    options = parser.parse_args()
    faiss.omp_set_num_threads(1)
    real = real_vectors(options.served, options.model)
    kept, held = real[::5], np.delete(real, np.s_[::5], axis=0)
    queries = made(kept, options.queries, seed=1)
    print("| prompts | search | recall@15 | p50 ms | p99 ms | build s | MB | an addition, us |")
    print("|---|---|---|---|---|---|---|---|")
    figures, count = {}, options.least
    while count <= options.most:
        units = made(held, count, seed=0)
        near = truth(units, queries)
        chosen = {n: m for n, m in contenders(count).items() if options.only in n}
        for name, make in chosen.items():
            found = measured(make, units, queries, near)
            figures[f"{count}: {name}"] = found
            print(
                f"| {count} | {name} | {found['recall']:.3f} | {found['p50_ms']:.2f} | "
                f"{found['p99_ms']:.2f} | {found['build_s']:.1f} | {found['bytes'] / 1e6:.1f} | "
                f"{found['add_us']:.0f} |",
                flush=True,
            )
        count *= 10
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
