"""`python -m remoe_functions.fetching`: what the hub's library must know first, then fetch."""

from __future__ import annotations

import os
import sys

from remoe_functions.runtime.last_words import end_when_told


def main() -> int:
    """Run the process; returns its exit status."""
    end_when_told()
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    from remoe_functions.fetching.arguments import parse
    from remoe_functions.fetching.process import run

    return run(parse(sys.argv[1:]))


if __name__ == "__main__":
    sys.exit(main())
