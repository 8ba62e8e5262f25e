"""What a saved state tells without a gateway: how much was learned, and how well it foretold."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from remoe_functions.gateway.forecaster_state import StateError, read_state, state_path
from remoe_functions.gateway.scoreboard import Score, Scoreboard


@dataclass(frozen=True, slots=True, kw_only=True)
class LearnedState:
    """A saved forecaster, from outside.

    Attributes:
        state_bytes: of its file.
        prompts: distinct ones it learned from.
        fitted_on: prompts that its fit was made from; 0 where it is not fitted.
        scores: its latest forecasts against what then happened, oldest first.
    """

    state_bytes: int
    prompts: int
    fitted_on: int
    scores: tuple[Score, ...]


def learned_state(directory: Path, revision: str, latest: int) -> LearnedState | None:
    """The state saved beside a history with up to so many scores; None where there is none.

    Raises:
        StateError: it is damaged.
        OSError: it cannot be read.
    """
    path = state_path(directory, revision)
    arrays = read_state(path)
    if arrays is None:
        return None
    try:
        board = Scoreboard.restored(arrays)
        learned, fitted_on, _ = (int(count) for count in arrays["counts"])
    except (KeyError, ValueError, TypeError) as error:
        raise StateError(f"{path} is no state of this version: {error}") from error
    return LearnedState(
        state_bytes=path.stat().st_size,
        prompts=learned,
        fitted_on=fitted_on,
        scores=tuple(board.latest(latest)),
    )
