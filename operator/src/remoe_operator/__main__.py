"""`python -m remoe_operator`: look after MoEServices until told to end."""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType


def main() -> int:
    """Run the operator; the exit status says whether it ended as told."""
    # The first process of a container has no default for SIGTERM: told to stop while it is still
    # importing, it would go on until it is killed.
    if os.getpid() == 1:
        signal.signal(signal.SIGTERM, _end)
    from remoe_operator.controller.process import run

    return run()


def _end(number: int, _frame: FrameType | None) -> None:
    os._exit(128 + number)


if __name__ == "__main__":
    sys.exit(main())
