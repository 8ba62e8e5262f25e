"""`remoe history`: what was recorded of a model's routing, and how well it foretells."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer import Option, Typer

from remoe_functions.cli.failure import CommandError
from remoe_functions.cli.options import History, Json, Model

if TYPE_CHECKING:
    from remoe_functions.gateway.learned_state import LearnedState
    from remoe_planner.architecture import Architecture

history = Typer(no_args_is_help=True, help="Look at the recorded activation history of a model.")


@history.callback()
def _group() -> None:
    """Look at the recorded activation history of a model."""


@history.command()
def stats(
    model: Model,
    history: History = None,
    latest: Annotated[int, Option(min=1, help="Latest requests that are judged.")] = 200,
    as_json: Json = False,
) -> None:
    """Show what was recorded, and how well forecasts from it turned out.

    Forecasts are judged by requests that came after what they rest on. Divergence is
    Jensen-Shannon's, in bits: 0 is a perfect forecast.

    For example:

        remoe history stats ./model
        remoe history stats ./model --latest 50 --json
    """
    from remoe_functions.cli.places import history_directory
    from remoe_functions.cli.planning import architecture_of
    from remoe_functions.source.source import resolve

    source = resolve(model)
    architecture = architecture_of(source.directory)
    folder = history or history_directory(source)
    report = history_report(folder, architecture, latest)
    typer.echo(json.dumps(report) if as_json else "\n".join(_lines(report)))


def history_report(folder: Path, architecture: Architecture, latest: int) -> dict[str, Any]:
    """All that `remoe history stats` tells.

    Raises:
        CommandError: nothing was recorded there of this model.
    """
    from remoe_functions.history.reader import read_history
    from remoe_functions.history.survey import survey

    recorded = read_history(folder, architecture)
    found = survey(folder, architecture.revision, architecture.shape)
    if not found.bytes_by_revision:
        raise CommandError(f"no history in {folder}; `remoe record` makes one")
    state, trouble = _state(folder, architecture, latest)
    unknown = 0 if not len(recorded) else int((~recorded.vectors.any(axis=1)).sum())
    return {
        "history": str(folder),
        "requests": recorded.requests,
        "distinct_prompts": len(recorded),
        "prompt_tokens": int(recorded.prompt_tokens.sum()),
        "decode_tokens": int(recorded.decode_tokens.sum()),
        "bytes": sum(found.bytes_by_revision.values()),
        "oldest": found.oldest,
        "newest": found.newest,
        "without_vector": unknown,
        "of_another_shape": found.other_shapes,
        "revision": architecture.revision,
        "present_revision": found.present,
        "bytes_by_revision": found.bytes_by_revision,
        "falls_back_to": _fallback(len(recorded), unknown),
        "forecaster": trouble or _forecaster(state),
        "forecasts": None if state is None else _judged(state),
    }


def _state(
    folder: Path, architecture: Architecture, latest: int
) -> tuple[LearnedState | None, str | None]:
    """What was learned, and what is wrong with it where it cannot be read."""
    from remoe_functions.gateway.forecaster_state import StateError
    from remoe_functions.gateway.learned_state import learned_state

    try:
        return learned_state(folder, architecture.revision, latest), None
    except StateError as error:
        return None, str(error)


def _fallback(prompts: int, without_vector: int) -> str:
    """What forecasts a prompt whose tokens were never seen."""
    from remoe_planner.forecasting.vector_forecaster import LEAST_PROMPTS

    if prompts > without_vector:
        fitted = prompts - without_vector >= LEAST_PROMPTS
        return "the prompt's vector" if fitted else "similar prompts"
    return "mean of history" if prompts else "uniform"


def _forecaster(state: LearnedState | None) -> dict[str, int] | None:
    if state is None:
        return None
    return {"bytes": state.state_bytes, "prompts": state.prompts, "fitted_on": state.fitted_on}


def _judged(state: LearnedState) -> dict[str, Any]:
    """The latest forecasts, together and by what they rested on."""
    import numpy as np

    rows = state.scores
    # Compared where all could be made; the very first requests had nothing to fall back to.
    compared = [s for s in rows if np.isfinite(s.by_similar)] or rows

    def mean(name: str) -> float | None:
        values = np.array([getattr(score, name) for score in compared], np.float64)
        return None if not np.isfinite(values).any() else round(float(np.nanmean(values)), 4)

    known = mean("known")
    return {
        "judged": len(rows),
        "by_basis": {
            basis: sum(str(score.basis) == basis for score in rows)
            for basis in dict.fromkeys(str(score.basis) for score in rows)
        },
        "unknown_tokens": None if known is None else round(1 - known, 4),
        "expected_divergence": mean("expected"),
        "divergence": mean("divergence"),
        "divergence_of_vector": mean("by_similar"),
        "divergence_of_mean": mean("by_mean"),
    }


def _lines(report: dict[str, Any]) -> list[str]:
    from datetime import UTC, datetime

    def at(seconds: float | None) -> str:
        return "?" if seconds is None else f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M}"

    others = len(report["bytes_by_revision"]) - (
        report["present_revision"] in report["bytes_by_revision"]
    )
    lines = [
        f"History in {report['history']}",
        f"  requests     {report['requests']}, of {report['distinct_prompts']} distinct prompts",
        f"  tokens       {report['prompt_tokens']} of prompts, {report['decode_tokens']} generated",
        f"  size         {report['bytes'] / 1e6:.2f} MB",
        f"  from         {at(report['oldest'])} to {at(report['newest'])} (UTC)",
        f"  no vector    {report['without_vector']}, of another shape {report['of_another_shape']}",
        f"  revision     {report['revision']}, {others} others in the folder",
    ]
    learned = _forecaster_lines(report["forecaster"], report["falls_back_to"])
    return [*lines, *learned, *_judged_lines(report["forecasts"])]


def _forecaster_lines(found: dict[str, int] | str | None, fallback: str) -> list[str]:
    instead = f"tokens never seen fall back to: {fallback}"
    if found is None:
        return [f"Nothing learned of tokens yet; {instead}"]
    if isinstance(found, str):
        return [f"What was learned of tokens cannot be read ({found}); {instead}"]
    fit = f"fitted on {found['fitted_on']}" if found["fitted_on"] else "not fitted yet"
    return [
        f"Learned from {found['prompts']} prompts, {fit}, {found['bytes'] / 1e6:.2f} MB; {instead}"
    ]


def _judged_lines(found: dict[str, Any] | None) -> list[str]:
    if not found or not found["judged"]:
        return []
    bases = ", ".join(f"{basis} {count}" for basis, count in found["by_basis"].items())
    return [
        f"The last {found['judged']} forecasts (bits off; 0 is perfect)",
        f"  rested on    {bases}",
        f"  unknown      {_number(found['unknown_tokens'])} of the tokens",
        f"  expected     {_number(found['expected_divergence'])}",
        f"  found        {_number(found['divergence'])}",
        f"  instead      the prompt's vector {_number(found['divergence_of_vector'])}, "
        f"mean of history {_number(found['divergence_of_mean'])}",
    ]


def _number(value: float | None) -> str:
    return "?" if value is None else f"{value:.4f}"
