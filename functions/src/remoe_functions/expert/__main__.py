"""`python -m remoe_functions.expert`: fix what must be fixed before numpy loads, then serve."""

from __future__ import annotations

import sys

from remoe_functions.expert.share import take_cpu_share
from remoe_functions.runtime.tether import Tether


def main() -> int:
    """Run the process; returns its exit status."""
    take_cpu_share()
    from remoe_functions.expert.startup import begin

    tether = begin(Tether.from_environment())
    from remoe_functions.expert.process import run

    return run(sys.argv[1:], tether)


if __name__ == "__main__":
    sys.exit(main())
