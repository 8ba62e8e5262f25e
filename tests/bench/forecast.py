"""Forecast quality on real routing: every encoder with every search, and what needs none.

    python tests/bench/forecast.py --routing DIR --model DIR [--served FILE.npz] [--quick]

DIR of --routing holds `dsv2lite_puffin`, `gptoss20b` and `qwen15moe_gsm8k25`, each as .npz and
.jsonl; --model is a checkpoint whose embedding table and tokenizer stand in for those of the traces
(they came without); --served is what routing_of_prompts.py collected of that checkpoint itself.

A split tests on prompts whose texts stand nowhere in its history. Divergences are Jensen-Shannon,
in bits, the mean over layers and then over prompts. "Covered" is the share of a prompt's real
assignments that the experts forecast as busiest got, when 10, 25 and 50 % of each layer's are
taken. Times are CPU times of one forecast, the encoding of the prompt beside them.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
from forecast_encoders import encoded, rarity
from forecast_traces import published, served, splits
from tokenizers import Tokenizer

from remoe_functions.checkpoint.checkpoint import Checkpoint
from remoe_functions.encoder.embedding_table import embedding_table
from remoe_planner.forecasting.after_prefill import Continuation, fit_after_prefill
from remoe_planner.forecasting.choice import ForecasterSpec, new_forecaster
from remoe_planner.forecasting.divergences import layer_divergences
from remoe_planner.forecasting.forecaster import Method
from remoe_planner.forecasting.joint_forecaster import JointForecaster
from remoe_planner.forecasting.outlook import distribution
from remoe_planner.forecasting.routed_prompt import Query, RoutedPrompt

LONG = 64
SIZES = (0.10, 0.25, 0.50)
BY_VECTOR = (Method.TREE, Method.BRUTE_FORCE, Method.NEIGHBORS, Method.VECTOR)
PREFIX = 32


def covered(forecast, actual):
    """Share of assignments got by the experts forecast as busiest, per prompt and size."""
    order = np.argsort(-forecast, axis=-1, kind="stable")
    sums = np.take_along_axis(actual, order, axis=-1).cumsum(axis=-1).mean(axis=1)
    taken = [max(1, round(size * actual.shape[-1])) for size in SIZES]
    return sums[:, [m - 1 for m in taken]]


def row(trace, test, forecast, seconds=(0.0,), nbytes=0, encode_ms=0.0):
    actual = trace.actual[test]
    divergence = layer_divergences(forecast, actual).mean(axis=1)
    lengths, hits = trace.sizes[test], covered(forecast, actual).mean(axis=0)
    loops = np.zeros(len(test), bool) if trace.loops is None else trace.loops[test]
    return {
        "all": float(divergence.mean()),
        "long": float(divergence[lengths >= LONG].mean()) if (lengths >= LONG).any() else None,
        "no_loops": float(divergence[~loops].mean()) if loops.any() else None,
        "covered": [float(h) for h in hits],
        "median_ms": float(np.median(seconds) * 1e3),
        "p99_ms": float(np.quantile(seconds, 0.99) * 1e3),
        "encode_ms": encode_ms,
        "bytes": int(nbytes),
    }


def asked(forecaster, queries):
    """Forecasts of the queries, [n, layers, experts], with outlooks and CPU seconds of each."""
    outlooks, seconds = [], []
    for query in queries:
        start = time.thread_time()
        outlooks.append(forecaster.forecast(query))
        seconds.append(time.thread_time() - start)
    return np.stack([o.frequencies for o in outlooks]), outlooks, np.array(seconds)


def by_vector(trace, history, test, vectors, slow):
    """Every encoder with every way of using vectors."""
    rows, trust = {}, {}
    for name, vector in vectors.items():
        queries = [Query(tokens=t, vector=v) for t, v in zip(trace.asked, vector, strict=True)]
        for method in BY_VECTOR:
            spec = ForecasterSpec(shape=trace.shape, width=vector.shape[1])
            forecaster = new_forecaster(method, spec)
            for i in history:
                forecaster.learn(queries[i], trace.actual[i])
            forecaster.refit()
            forecast, outlooks, seconds = asked(forecaster, [queries[i] for i in test])
            rows[f"{method}: {name}"] = row(
                trace, test, forecast, seconds, forecaster.nbytes, slow[name]
            )
            trust[f"{method}: {name}"] = expected(trace, test, outlooks, forecast)
    return rows, trust


def expected(trace, test, outlooks, forecast):
    """What the forecaster thought of itself: expected and real divergence, by fifths."""
    if outlooks[0].trust is None:
        return None
    said = np.array([o.trust.expected_divergence for o in outlooks])
    real = layer_divergences(forecast, trace.actual[test]).mean(axis=1)
    low, high = (
        np.array([o.trust.divergence_quantile(z) for o in outlooks]) for z in (-1.645, 1.645)
    )
    parts = np.array_split(np.argsort(said), 5)
    return {
        "fifths": [(float(said[p].mean()), float(real[p].mean())) for p in parts],
        "inside_90": float(((low <= real) & (real <= high)).mean()),
        "counts_inside_90": counts_inside(trace, test, outlooks),
    }


def counts_inside(trace, test, outlooks):
    if outlooks[0].count_spread is None:
        return None
    inside = []
    for i, outlook in zip(test, outlooks, strict=True):
        size = int(trace.sizes[i])
        low, high = outlook.count_interval(size, trace.shape.top_k, 0.9)
        counts = trace.actual[i] * size * trace.shape.top_k
        inside.append(((low - 1e-6 <= counts) & (counts <= high + 1e-6)).mean())
    return float(np.mean(inside))


def without_search(trace, history, test):
    """Uniform, mean, the oracle and the floor."""
    shape, actual = trace.shape, trace.actual[test]
    even = np.full_like(actual, 1 / shape.experts)
    mean = np.broadcast_to(trace.actual[history].mean(axis=0), actual.shape)
    return {
        "uniform": row(trace, test, even),
        "mean": row(trace, test, mean),
        "(oracle)": row(trace, test, actual),
        "(finite-sample floor)": row(trace, test, drawn(trace, test)),
    }


def drawn(trace, test, seed=1):
    """As many independent draws of each prompt's own true spread."""
    rng, found = np.random.default_rng(seed), []
    for i in test:
        draws = rng.multinomial(int(trace.sizes[i]) * trace.shape.top_k, trace.actual[i])
        found.append(draws / draws.sum(axis=1, keepdims=True))
    return np.stack(found)


def by_token(trace, history, test, vectors):
    """The plain token table, the context forecaster before and after its fit, and all together."""
    forecaster = new_forecaster(
        Method.CONTEXT, ForecasterSpec(shape=trace.shape, words=trace.words)
    )
    for i in history:
        forecaster.observe(trace.prompts[i])
    queries = [trace.prompts[i].query for i in test]
    rows = {"token table": row(trace, test, *table_of_tokens(trace, history, test))}
    forecast, _, seconds = asked(forecaster, queries)
    rows["context, tables alone"] = row(trace, test, forecast, seconds, forecaster.nbytes)
    start = time.thread_time()
    forecaster.refit([trace.prompts[i] for i in history])
    fit_seconds = time.thread_time() - start
    forecast, outlooks, seconds = asked(forecaster, queries)
    rows["context, fitted"] = row(trace, test, forecast, seconds, forecaster.nbytes)
    trust = expected(trace, test, outlooks, forecast) or {}
    rows["joint: tokens"], joint_trust = together(trace, forecaster, history, test, vectors)
    fitted = {**trust, "fit_seconds": fit_seconds}
    return rows, {"context, fitted": fitted, "joint: tokens": joint_trust}


def together(trace, context, history, test, vectors):
    """The fitted context forecaster and the vector of embeddings, by the product's first share."""
    vector = new_forecaster(
        Method.VECTOR, ForecasterSpec(shape=trace.shape, width=vectors.shape[1])
    )
    queries = [
        Query(tokens=p.query.tokens, vector=v) for p, v in zip(trace.prompts, vectors, strict=True)
    ]
    for i in history:
        vector.learn(queries[i], trace.actual[i])
    vector.refit()
    forecaster = JointForecaster(trace.shape, context=context, vector=vector)
    forecast, outlooks, seconds = asked(forecaster, [queries[i] for i in test])
    trust = expected(trace, test, outlooks, forecast)
    return row(trace, test, forecast, seconds, forecaster.nbytes), trust


def table_of_tokens(trace, history, test, weight=0.3):
    """Each token as it was routed before, the mean of all worth 0.3 of a token."""
    shape, counts = trace.shape, {}
    for i in history:
        prompt = trace.prompts[i]
        for token, cells in zip(prompt.query.tokens.tolist(), prompt.cells(shape), strict=True):
            counts.setdefault(token, np.zeros(shape.cells))[cells] += 1
    mean = sum(counts.values()) / sum(c.sum() / shape.picks for c in counts.values())
    found, seconds = [], []
    for i in test:
        start = time.thread_time()
        tokens, times = np.unique(trace.prompts[i].query.tokens, return_counts=True)
        rows = np.stack([counts.get(t, mean * 0) + weight * mean for t in tokens.tolist()])
        rows /= rows.sum(axis=1, keepdims=True)
        found.append(distribution((times @ rows).reshape(shape.table)))
        seconds.append(time.thread_time() - start)
    return np.stack(found), seconds, len(counts) * shape.cells


def one_split(trace, history, test, vectors, slow, *, tokens):
    """All rows of one split; `tokens` where what is foretold is the routing of known tokens."""
    weighed = vectors | {"words, TF-IDF": rarity(vectors["words"], history)}
    slow = slow | {"words, TF-IDF": slow["words"]}
    rows, trust = by_vector(trace, history, test, weighed, slow)
    if tokens:
        more, trust_more = by_token(trace, history, test, vectors["tokens"])
        rows, trust = rows | more, trust | trust_more
    return {"rows": without_search(trace, history, test) | rows, "trust": trust}


def measured(trace, table, options, *, count, size, least, tokens=True):
    vectors, slow = encoded(trace, table, sentence=not options.no_sentence)
    found = []
    for split in splits(trace, count, size, least):
        found.append(one_split(trace, *split, vectors, slow, tokens=tokens))
        print(f"{trace.name}: split {len(found)} of {count} done", flush=True)
    print_rows(trace, found, count, size)
    return found


def after_prefix(trace, table, count, size):
    """What follows the first generated tokens, before and after their counts are known."""
    vectors, _ = encoded(trace, table, sentence=False)
    found = [followed(trace, vectors["tokens"], *s) for s in splits(trace, count, size, 64)]
    print(f"\n### {trace.name}: after {PREFIX} generated tokens, median of {count} splits\n")
    print("| prior | before | after | no loops: before | after |\n|---|---|---|---|---|")
    for name in found[0]:
        cells = [np.median([f[name][k] for f in found]) for k in range(4)]
        print(f"| {name} | " + " | ".join(f"{c:.4f}" for c in cells) + " |")
    return found


def followed(trace, vectors, history, test):
    heads, rests = ([part(p, *cut) for p in trace.prompts] for cut in ((0, PREFIX), (PREFIX, None)))
    after = np.stack([r.frequencies(trace.shape) for r in rests])
    counts = np.stack([h.counts(trace.shape) for h in heads])
    loops, found = trace.loops[test], {}
    for method in (Method.MEAN, Method.NEIGHBORS, Method.VECTOR):
        small, full = (
            learned(method, trace, vectors, rows, after) for rows in (history[::2], history)
        )
        queries = [Query(tokens=t, vector=v) for t, v in zip(trace.asked, vectors, strict=True)]
        past = [
            Continuation(
                forecast=small.forecast(queries[i]).frequencies, counts=counts[i], rest=after[i]
            )
            for i in history[1::2]
            if len(rests[i].experts)
        ]
        update = fit_after_prefill(past)
        outlooks = [full.forecast(queries[i]) for i in test]
        before = np.stack([o.frequencies for o in outlooks])
        known = np.stack(
            [update.update(o, counts[i]).frequencies for o, i in zip(outlooks, test, strict=True)]
        )
        off = [layer_divergences(f, after[test]).mean(axis=1) for f in (before, known)]
        found[str(method)] = [float(d.mean()) for d in off] + [float(d[~loops].mean()) for d in off]
    return found


def learned(method, trace, vectors, rows, actual):
    forecaster = new_forecaster(method, ForecasterSpec(shape=trace.shape, width=vectors.shape[1]))
    for i in rows:
        query = Query(tokens=trace.asked[i], vector=vectors[i])
        if method is Method.MEAN:
            forecaster.observe(part(trace.prompts[i], PREFIX, None))
        elif trace.sizes[i] > PREFIX:
            forecaster.learn(query, actual[i])
    if method is not Method.MEAN:
        forecaster.refit()
    return forecaster


def part(prompt, start, end):
    query = Query(tokens=prompt.query.tokens[start:end], vector=prompt.query.vector)
    return RoutedPrompt(query=query, experts=prompt.experts[start:end])


def folds(trace, table, options):
    """Qwen1.5-MoE: 25 prompts in 5 folds, too few for splits; the mean over all of them."""
    vectors, slow = encoded(trace, table, sentence=not options.no_sentence)
    everything, found = np.arange(len(trace.prompts)), []
    for fold in range(5):
        test = everything[fold::5]
        history = np.setdiff1d(everything, test)
        found.append(one_split(trace, history, test, vectors, slow, tokens=True))
    print_rows(trace, found, 5, 5)
    return found


def print_rows(trace, found, count, size):
    print(f"\n### {trace.name}: {count} splits of {size}, median (least-most)\n")
    print(
        f"| method | all | >= {LONG} tokens | no loops | covered at 10, 25, 50 % | ms, p99 "
        "| encode ms | MB |\n|---|---|---|---|---|---|---|---|"
    )
    names = sorted(found[0]["rows"], key=lambda n: -median(found, n, "all"))
    for name in names:
        of = [split["rows"][name] for split in found]
        hits = " ".join(f"{h:.3f}" for h in np.median([r["covered"] for r in of], axis=0))
        cells = [spread([r[key] for r in of]) for key in ("all", "long", "no_loops")]
        print(
            f"| {name} | {' | '.join(cells)} | {hits} | {median(found, name, 'median_ms'):.2f}, "
            f"{median(found, name, 'p99_ms'):.2f} | {median(found, name, 'encode_ms'):.2f} | "
            f"{of[0]['bytes'] / 1e6:.1f} |"
        )
    print_trust(found)


def print_trust(found):
    best = {name: t for name, t in found[-1]["trust"].items() if t and "fifths" in t}
    for name in ("vector: tokens", "neighbors: tokens", "context, fitted", "joint: tokens"):
        if name in best:
            pairs = " ".join(f"{e:.3f}>{r:.3f}" for e, r in best[name]["fifths"])
            print(
                f"\n{name}: expected > real by fifths {pairs}; inside 90 %: "
                f"{best[name]['inside_90']:.2f}, counts {best[name]['counts_inside_90']}"
            )


def median(found, name, key):
    return float(np.median([split["rows"][name][key] for split in found]))


def spread(values):
    if any(v is None for v in values):
        return ""
    middle = f"{np.median(values):.4f}"
    return middle if len(values) == 1 else f"{middle} ({min(values):.4f}-{max(values):.4f})"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--routing", type=Path, required=True, help="folder of the traces")
    parser.add_argument("--model", type=Path, required=True, help="checkpoint of the demo model")
    parser.add_argument("--served", type=Path, help="what routing_of_prompts.py collected of it")
    parser.add_argument("--splits", type=int, default=3)
    parser.add_argument("--only", choices=["dsv2", "gptoss", "qwen", "demo"])
    parser.add_argument("--quick", action="store_true", help="one split each, no sentence encoder")
    parser.add_argument("--no-sentence", action="store_true")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    options = parser.parse_args()
    if options.quick:
        options.splits, options.no_sentence = 1, True
    table = embedding_table(Checkpoint.open(options.model))
    figures = run(options, table, Tokenizer.from_file(str(options.model / "tokenizer.json")))
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1))


def run(options, table, tokenizer):
    figures: dict = {}
    chosen = options.only
    if chosen in (None, "demo") and options.served:
        experts = Checkpoint.open(options.model).architecture.experts_per_layer
        prefill, decode = served(options.served, experts, tokenizer)
        common = {"count": options.splits, "size": 250}
        figures["demo"] = measured(prefill, table, options, least=8, **common)
        figures["demo decode"] = measured(decode, table, options, least=4, tokens=False, **common)
    if chosen in (None, "qwen"):
        trace = published(options.routing, "qwen15moe_gsm8k25", 60, "token_ids", tokenizer)
        figures["qwen"] = folds(trace, table, options)
    if chosen in (None, "gptoss"):
        trace = published(options.routing, "gptoss20b", 32, "generated_tokens", tokenizer)
        common = {"count": options.splits, "size": 100}
        figures["gptoss"] = measured(trace, table, options, least=64, tokens=False, **common)
        figures["gptoss after"] = after_prefix(trace, table, **common)
    if chosen in (None, "dsv2"):
        trace = published(options.routing, "dsv2lite_puffin", 64, "tokens", tokenizer)
        figures["dsv2"] = measured(trace, table, options, count=options.splits, size=250, least=8)
    return figures


if __name__ == "__main__":
    main()
