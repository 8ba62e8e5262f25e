"""One picture: where the experts of each layer ran, prompt by prompt."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from remoe_functions.cli.answer_line import seconds
from remoe_functions.cli.asking import Answer
from remoe_functions.cli.figure import write_figure
from remoe_functions.cli.receipt import Receipt

# Colors that stay apart for the color-blind and in gray.
_PLACES = (
    ("in the main model", "#3b6fb6"),
    ("in an expert function", "#f2a33a"),
    ("in the main model after all (function asleep or failed)", "#8c2d3a"),
)


def draw(
    stem: Path, prompts: Sequence[str], answers: Sequence[Answer], layers: Sequence[int]
) -> tuple[Path, Path]:
    """Write the picture as SVG and PNG.

    Args:
        stem: the files' path without suffix.
        prompts: what was asked.
        answers: the answers, with the service's accounts.
        layers: indices of the model's MoE layers.

    Returns:
        The SVG and the PNG.

    Raises:
        OSError: they cannot be written.
    """
    told = [(p, a, a.receipt) for p, a in zip(prompts, answers, strict=True) if a.receipt]
    figure = Figure(figsize=(2.1 * max(len(told), 2) + 1.0, 7.2), layout="constrained")
    panels = figure.subplots(1, max(len(told), 1), sharey=True, squeeze=False)[0]
    for panel, (prompt, answer, receipt) in zip(panels, told, strict=False):
        _draw_prompt(panel, prompt, answer, receipt, layers)
    panels[0].set_ylabel("layer")
    panels[0].yaxis.set_major_locator(MaxNLocator(nbins=10, integer=True))
    panels[0].invert_yaxis()
    figure.suptitle("Where the experts of each layer ran, as shares of its token-expert pairs")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False, fontsize=10)
    return write_figure(figure, stem)


def _draw_prompt(
    panel: Any,  # noqa: ANN401 - matplotlib is untyped here
    prompt: str,
    answer: Answer,
    receipt: Receipt,
    layers: Sequence[int],
) -> None:
    counts = np.array(receipt.layers, float).reshape(len(layers), len(_PLACES))
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    left = np.zeros(len(layers))
    for place, (label, color) in enumerate(_PLACES):
        panel.barh(
            layers, shares[:, place], left=left, height=0.84, color=color, label=label, linewidth=0
        )
        left += shares[:, place]
    panel.set_title("\n".join(textwrap.wrap(prompt, 23)[:4]), fontsize=9, loc="left")
    panel.set_xlim(0, 1)
    panel.set_xticks([0, 0.5, 1], ["0", "½", "1"])
    panel.set_xlabel(_below(answer, receipt), fontsize=8, color="#555555")
    panel.margins(y=0.01)
    panel.spines[["top", "right", "left"]].set_visible(False)
    panel.tick_params(length=0, labelsize=8)


def _below(answer: Answer, receipt: Receipt) -> str:
    woken = f"functions woken: {len(receipt.woken)}"
    tokens = f"{answer.prompt_tokens} tokens in, {answer.completion_tokens} out"
    return f"{tokens}\nfirst after {seconds(answer.ttft_seconds)}\n{woken}"
