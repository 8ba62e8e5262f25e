"""Where a prompt and its answer will go, told before the model is even awake.

The tokens in their context and the prompt's vector together tell most (`learner`, `past_requests`),
then either alone, the mean of history, or nothing at all; every forecast says what it rests on.
Once main has computed the prompt, its true counts update the forecast of the answer.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from remoe_functions.gateway.learner import Learner
from remoe_functions.gateway.past_requests import BY_VECTOR, PastRequests
from remoe_functions.gateway.reported_routing import PrefillReport
from remoe_functions.gateway.scoreboard import Score, Scoreboard
from remoe_functions.gateway.wake_choice import functions_needed
from remoe_planner.activation_history import ActivationHistory
from remoe_planner.divergence import jensen_shannon
from remoe_planner.fast_loop.function_table import FunctionTable
from remoe_planner.forecasting.joint_share import JointShare
from remoe_planner.forecasting.outlook import Basis, Outlook, distribution
from remoe_planner.forecasting.routed_prompt import Query
from remoe_planner.forecasting.shape import RoutingShape
from remoe_planner.plan import Plan
from remoe_planner.prompt_vector import prompt_vector

# Of a prompt with a smaller share of known tokens, similar prompts tell more where the history is
# too short to be fitted: once the tokens' forecaster is fitted, and before that. Measured
# (designs/009-history.md).
LEAST_KNOWN, LEAST_KNOWN_UNFITTED = 0.5, 0.85
_ANSWER_TOKENS = 64
_NAN = float("nan")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Foretold:
    """What was expected of one prompt.

    Attributes:
        prompt: its tokens.
        max_tokens: of its answer.
        answer_tokens: that its answer is expected to have.
        learned: what the tokens alone told of where they go; None where nothing was learned.
        outlook: where the prompt's tokens go.
        answer: where the answer's go; after prefill the prompt's true counts are in it.
        expected: divergence that the outlook is expected to be off by; None where not known.
        functions: those it likely needs, which may be more than are worth waking; None where
            nothing is known.
    """

    prompt: tuple[int, ...]
    max_tokens: int
    answer_tokens: int
    learned: Outlook | None
    outlook: Outlook
    answer: Outlook
    expected: float | None
    functions: tuple[str, ...] | None


class FunctionForecast:
    """Forecasts for one model. Its methods may run in any thread.

    Attributes:
        plan: where experts are.
        shape: of the routing.
        learner: what the tokens tell; None until it is restored.
        past: what the recorded history tells.
        board: how well forecasts turned out.
        joint: how much the vector says beside the tokens.
    """

    def __init__(
        self,
        plan: Plan,
        table: NDArray[Any] | None,
        *,
        neighbors: int = 15,
        min_probability: float = 0.5,
    ) -> None:
        """Forecasts that know nothing yet.

        Args:
            plan: where experts are.
            table: the checkpoint's token embeddings, for prompt vectors; None for none.
            neighbors: similar prompts that vote.
            min_probability: chance of being needed from which a function counts as needed.
        """
        architecture = plan.architecture
        layers, experts = architecture.shape
        self.plan = plan
        self.shape = RoutingShape(layers=layers, experts=experts, top_k=architecture.top_k)
        self.learner: Learner | None = None
        self.board = Scoreboard()
        self.joint = JointShare()
        self._judging = threading.Lock()
        self._table = table
        self._functions_table = FunctionTable.of(plan)
        self._neighbors = neighbors
        self._min_probability = min_probability
        self.take_history(ActivationHistory.empty(architecture.shape, architecture.hidden_size))

    def take_history(self, history: ActivationHistory) -> None:
        """Fit this history, which takes seconds, and forecast from it from then on."""
        self.past = PastRequests(history, self.shape, self._neighbors)

    def foretell(self, prompt: Sequence[int], max_tokens: int) -> Foretold:
        """Where the prompt will go, and for as long as nothing more is known its answer."""
        learned = self.learner.forecast(prompt) if self.learner is not None else None
        outlook = self._outlook(learned, self.past.prompt(self._query(prompt)))
        trust = outlook.trust
        foretold = Foretold(
            prompt=tuple(prompt),
            max_tokens=max_tokens,
            answer_tokens=min(max_tokens, self._usual_answer),
            learned=learned,
            outlook=outlook,
            answer=outlook,
            expected=trust.expected_divergence if trust else self.board.usual(outlook.basis),
            functions=None,
        )
        return replace(foretold, functions=self._functions(foretold, prompt_is_done=False))

    def after_prefill(self, foretold: Foretold, report: PrefillReport) -> Foretold:
        """The same with the prompt's true counts known: the answer's outlook and functions."""
        past = self.past
        answer = past.answer(self._query(foretold.prompt))
        if answer.basis is Basis.UNIFORM:
            answer = foretold.outlook
        updated = replace(foretold, answer=past.after_prefill.update(answer, report.counts))
        return replace(updated, functions=self._functions(updated, prompt_is_done=True))

    def score(self, foretold: Foretold, report: PrefillReport) -> Score:
        """How the outlook turned out, beside what simpler ones would have."""
        actual, past = distribution(report.counts), self.past
        outlook = foretold.outlook
        known = past.requests > 0
        similar = past.prompt(self._query(foretold.prompt))
        if foretold.learned is not None:
            with self._judging:
                self.joint.judge(foretold.learned, similar, actual)
        return Score(
            at=time.time(),
            basis=outlook.basis,
            tokens=len(foretold.prompt),
            known=_NAN if outlook.known is None else outlook.known,
            expected=_NAN if foretold.expected is None else foretold.expected,
            divergence=jensen_shannon(outlook.frequencies, actual),
            by_mean=jensen_shannon(past.mean, actual) if known else _NAN,
            by_similar=(
                jensen_shannon(similar.frequencies, actual) if similar.basis in BY_VECTOR else _NAN
            ),
        )

    def _outlook(self, learned: Outlook | None, recorded: Outlook) -> Outlook:
        """From the best evidence there is."""
        if learned is None:
            return recorded
        if recorded.basis is Basis.VECTOR:  # both were fitted, or the vector's forecast alone
            return recorded if learned.trust is None else self.joint.mixed(learned, recorded)
        similar = recorded.basis is Basis.SIMILAR_PROMPTS
        return recorded if similar and not _tells_most(learned) else learned

    def _functions(self, foretold: Foretold, *, prompt_is_done: bool) -> tuple[str, ...] | None:
        if foretold.answer.basis is Basis.UNIFORM:
            return None
        return functions_needed(
            self._functions_table,
            prompt=foretold.outlook,
            answer=foretold.answer,
            prompt_tokens=0 if prompt_is_done else len(foretold.prompt),
            answer_tokens=foretold.answer_tokens,
            min_probability=self._min_probability,
        )

    @property
    def _usual_answer(self) -> int:
        return self.past.decode_tokens if self.past.requests else _ANSWER_TOKENS

    def _query(self, prompt: Sequence[int]) -> Query:
        vector = None if self._table is None else prompt_vector(self._table, prompt)
        return Query(tokens=np.asarray(prompt, np.int64), vector=vector)


def _tells_most(learned: Outlook) -> bool:
    least = LEAST_KNOWN if learned.trust is not None else LEAST_KNOWN_UNFITTED
    return (learned.known or 0.0) >= least
