"""The first half of a function's start, before numpy loads: which experts, and where they lie.

Their weights are read from the disk from here on, while the interpreter goes on importing: on a
cold cache the one hides behind the other. Nothing here computes.
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
        reading: brings their weights into memory; joined before they are touched.
    """

    function: FunctionPlan
    checkpoint: Checkpoint
    reading: threading.Thread

    def touch(self) -> None:
        """Have every page of the function's weights in this process.

        Raises:
            CheckpointError: the model has not such an expert.
        """
        self.reading.join()
        for expert in self.function.experts:
            self.checkpoint.touch(expert)


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
    reading = threading.Thread(
        target=_read, args=(checkpoint, function), name="read-ahead", daemon=True
    )
    reading.start()
    return Opened(function=function, checkpoint=checkpoint, reading=reading)


def _read(checkpoint: Checkpoint, function: FunctionPlan) -> None:
    try:
        checkpoint.read_ahead(function.experts)
    except CheckpointError:
        # Whoever touches the weights meets the same fault, and tells it.
        return
