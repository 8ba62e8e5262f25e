"""How much memory a process has, and how much private memory it may have.

The limit is RLIMIT_DATA: private writable memory. Weights are mapped read-only from the
checkpoint, shared by every process that maps them, and do not count.
"""

from __future__ import annotations

import resource
import sys

import psutil


def resident_bytes(pid: int) -> int:
    """Resident memory of a process; 0 when it is gone."""
    try:
        return int(psutil.Process(pid).memory_info().rss)
    except psutil.Error:
        return 0


def limit_private_memory(pid: int, limit_bytes: int) -> bool:
    """Bound a running process's private memory; False where the system cannot.

    Beyond the bound its allocations fail, which Python reports as MemoryError.
    """
    if sys.platform != "linux":
        return False
    try:
        resource.prlimit(pid, resource.RLIMIT_DATA, (limit_bytes, limit_bytes))
    except (OSError, ValueError):
        return False
    return True
