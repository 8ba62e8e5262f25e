"""`python -m remoe_functions.gateway --config FILE`: one gateway process, until SIGTERM."""

from __future__ import annotations

import sys

from remoe_functions.runtime.last_words import end_when_told


def main() -> int:
    """Run the gateway; returns the process's exit status."""
    end_when_told()
    from remoe_functions.gateway.process import run

    return run(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
