"""What the gateway would have foretold of the prompts, from the very history it was given."""

from __future__ import annotations

from pathlib import Path

from remoe_functions.checkpoint.checkpoint import Checkpoint
from remoe_functions.encoder.embedding_table import embedding_table
from remoe_functions.gateway.forecaster_state import StateKind, load_state, state_path
from remoe_functions.gateway.forecasting import FunctionForecast
from remoe_functions.gateway.learner import Learner
from remoe_functions.gateway.tokenizer import Tokenizer
from remoe_functions.history.reader import read_history
from remoe_functions.history.salt import read_or_make_salt
from remoe_planner.forecasting.context_keys import word_classes
from remoe_planner.plan import Plan


def forecaster(model: Path, history: Path, plan: Plan) -> FunctionForecast:
    """The gateway's forecaster as it is when a service starts, its learner restored."""
    checkpoint = Checkpoint.open(model)
    try:
        table = embedding_table(checkpoint)
    finally:
        checkpoint.close()
    forecast = FunctionForecast(plan, table)
    forecast.take_history(read_history(history, plan.architecture))
    words = word_classes(Tokenizer.open(model).spellings(0 if table is None else len(table)))
    salt = read_or_make_salt(history)
    kind = StateKind.of(plan.architecture, words, salt)
    learner = Learner(forecast.shape, words, salt)
    if (state := load_state(state_path(history, kind.revision), kind)) is not None:
        learner.restore(state)
        forecast.learner = learner
    return forecast
