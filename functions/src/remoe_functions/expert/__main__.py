"""`python -m remoe_functions.expert`: the disk is set to work, the rest imported meanwhile."""

from __future__ import annotations

import gc
import sys

from remoe_functions.expert.first_reading import begin as begin_to_read
from remoe_functions.expert.lean_imports import put_off


def main() -> int:
    """Run the process; returns its exit status."""
    # What is imported stays: looking for garbage in it is time lost, until the function is ready.
    gc.disable()
    begin_to_read(sys.argv[1:])
    put_off()
    from remoe_functions.expert.share import bound_blas, take_cpu_share
    from remoe_functions.runtime.last_words import end_when_told, leave_words
    from remoe_functions.runtime.tether import Tether

    end_when_told()
    threads = take_cpu_share()
    from remoe_functions.expert.arguments import parse
    from remoe_functions.expert.monitor import Monitor
    from remoe_functions.expert.startup import CANNOT_START, IMPORTS, MAP, begin

    tether = begin(Tether.from_environment())
    arguments = parse(sys.argv[1:])
    try:
        # Before all that takes time: a probe that is refused comes again a second later.
        monitor = Monitor(arguments.host, arguments.metrics_port, lambda: tether.phases)
    except OSError as error:
        place = f"{arguments.host}:{arguments.metrics_port}"
        leave_words(f"function {arguments.function}: cannot listen for metrics on {place}: {error}")
        return CANNOT_START
    from remoe_functions.checkpoint.errors import CheckpointError
    from remoe_functions.expert.assignment import AssignmentError
    from remoe_functions.expert.opening import open_function

    try:
        opened = open_function(arguments)
    except (AssignmentError, CheckpointError) as error:
        leave_words(f"function {arguments.function}: {error}")
        return CANNOT_START
    tether.phase(MAP)
    from remoe_functions.kernel.machine import native_available

    bound_blas(1 if native_available().available else threads)
    from remoe_functions.expert.process import run

    tether.phase(IMPORTS)
    return run(arguments, opened, tether, monitor, threads=threads)


if __name__ == "__main__":
    sys.exit(main())
