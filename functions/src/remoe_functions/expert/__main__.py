"""`python -m remoe_functions.expert`: what must be done before numpy loads, then serve."""

from __future__ import annotations

import sys

from remoe_functions.expert.share import bound_blas, take_cpu_share
from remoe_functions.runtime.tether import Tether


def main() -> int:
    """Run the process; returns its exit status."""
    threads = take_cpu_share()
    from remoe_functions.expert.startup import CANNOT_START, IMPORTS, MAP, begin

    tether = begin(Tether.from_environment())
    from remoe_functions.checkpoint.errors import CheckpointError
    from remoe_functions.expert.arguments import parse
    from remoe_functions.expert.assignment import AssignmentError
    from remoe_functions.expert.opening import open_function

    arguments = parse(sys.argv[1:])
    try:
        opened = open_function(arguments)
    except (AssignmentError, CheckpointError) as error:
        sys.stderr.write(f"function {arguments.function}: {error}\n")
        return CANNOT_START
    tether.phase(MAP)
    from remoe_functions.kernel.machine import native_available

    bound_blas(1 if native_available().available else threads)
    from remoe_functions.expert.process import run

    tether.phase(IMPORTS)
    return run(arguments, opened, tether, threads=threads)


if __name__ == "__main__":
    sys.exit(main())
