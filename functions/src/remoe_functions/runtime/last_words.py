"""The end of a process in a container: its reason, left where the cluster looks for it.

Imported at every cold start, so it imports next to nothing.
"""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from types import FrameType

TERMINATION_LOG = "REMOE_TERMINATION_LOG"
_DEFAULT = "/dev/termination-log"
_MAX_BYTES = 2048


def leave_words(reason: str) -> None:
    """Say on standard error why this process ends and, in a container, where its pod tells it.

    The file is the cluster's: it is written where it is there and never made.
    """
    sys.stderr.write(f"{reason}\n")
    path = Path(os.environ.get(TERMINATION_LOG, _DEFAULT))
    with suppress(OSError):
        if path.exists():
            path.write_bytes(" ".join(reason.split()).encode()[:_MAX_BYTES])


def end_when_told() -> None:
    """End at a SIGTERM from here on, until somebody handles it better.

    The first process of a container has no default for it: told to stop while it is still
    importing, it would go on until it is killed. Elsewhere the default stands.
    """
    if os.getpid() == 1:
        signal.signal(signal.SIGTERM, _end)


def _end(number: int, _frame: FrameType | None) -> None:
    os._exit(128 + number)
