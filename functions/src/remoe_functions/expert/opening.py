"""The first half of a function's start: which experts, and where they lie.

Their weights are brought into memory from here on, while the interpreter goes on importing: the one
hides behind the other. Nothing here computes.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

from remoe_functions.checkpoint.checkpoint import Checkpoint
from remoe_functions.checkpoint.errors import CheckpointError
from remoe_functions.expert.arguments import Arguments
from remoe_functions.expert.assignment import check_same_model, function_of, read_plan
from remoe_planner.plan import FunctionPlan


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Opened:
    """A function's place in its plan, and the checkpoint with its weights.

    Attributes:
        function: its experts and bounds.
        checkpoint: the model, checked as far as these experts go.
        bringing: brings their weights into memory.
    """

    function: FunctionPlan
    checkpoint: Checkpoint
    bringing: Bringing

    def touch(self) -> None:
        """Have every page of the function's weights in this process.

        Raises:
            CheckpointError: the model has not such an expert.
        """
        self.bringing.join()
        if self.bringing.failure is not None:
            raise self.bringing.failure


class Bringing(threading.Thread):
    """Reads a function's weights from the disk, then maps their pages into this process.

    Attributes:
        failure: what kept it from that.
    """

    def __init__(self, checkpoint: Checkpoint, function: FunctionPlan) -> None:
        super().__init__(name="read-ahead", daemon=True)
        self.failure: CheckpointError | None = None
        self._checkpoint = checkpoint
        self._experts = function.experts

    def run(self) -> None:
        try:
            self._checkpoint.read_ahead(self._experts)
            for expert in self._experts:
                self._checkpoint.touch(expert)
        except CheckpointError as error:
            self.failure = error


def open_function(arguments: Arguments) -> Opened:
    """Read the plan, map the checkpoint, and begin to read the weights.

    Raises:
        AssignmentError: the plan cannot be read, is another model's, or has no such function.
        CheckpointError: the checkpoint cannot be served; says why.
    """
    plan = read_plan(arguments.plan)
    function = function_of(plan, arguments.function)
    checkpoint = Checkpoint.open(arguments.model, function.experts, sidecar=arguments.experts)
    # First: beside the reading its few bytes would wait for the disk as long as all the weights do.
    check_same_model(plan, checkpoint)
    bringing = Bringing(checkpoint, function)
    bringing.start()
    return Opened(function=function, checkpoint=checkpoint, bringing=bringing)
