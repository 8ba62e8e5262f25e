"""How much of the machine this process takes: decided once, before numpy may load (BLAS asks once).

The environment's word comes first: where several processes share a machine, only whoever starts
them knows how. Without it, what the system grants: the cores this process may run on, and its
control group's quota.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

CPUS = "REMOE_CPUS"
THREAD_VARIABLES = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
_CGROUPS = Path("/sys/fs/cgroup")


def cpu_share(text: str | None, granted: float) -> int:
    """Threads for a CPU share such as "1", "2.5" or "0.5": whole ones, at least one.

    Args:
        text: the share asked for; None or empty for all that is granted.
        granted: cores that the system grants, > 0.

    Raises:
        ValueError: the text is not a number > 0.
    """
    try:
        share = float(text or granted)
    except ValueError:
        share = 0.0
    if not 0 < share < 10_000:
        raise ValueError(f"{CPUS} must be a number > 0, got {text!r}")
    return max(1, int(share))


def granted_cpus() -> float:
    """Cores this process may use: those it may run on, or fewer where a quota says so."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return min([float(cores or 1), *quotas(_CGROUPS, Path("/proc/self/cgroup"))])


def quotas(mounted: Path, membership: Path) -> Iterator[float]:
    """Cores by the quota of this process's control group and of each above it, where one is set.

    Args:
        mounted: where control groups are mounted.
        membership: the system's account of a process's groups.
    """
    try:
        lines = membership.read_text().splitlines()
    except OSError:
        return
    for controllers, path in (line.split(":", 2)[1:] for line in lines if line.count(":") >= 2):
        if controllers and "cpu" not in controllers.split(","):
            continue
        group = PurePosixPath(path.lstrip("/"))
        # In a container the path may be the host's, and the mount the group itself.
        for place in (group, *group.parents):
            yield from _quota(mounted / controllers / place)


def _quota(folder: Path) -> Iterator[float]:
    try:
        if (folder / "cpu.max").exists():
            quota, period = (folder / "cpu.max").read_text().split()
        else:
            quota = (folder / "cpu.cfs_quota_us").read_text()
            period = (folder / "cpu.cfs_period_us").read_text()
        if quota.strip() not in ("max", "-1"):
            yield int(quota) / int(period)
    except (OSError, ValueError, ZeroDivisionError):
        return


def take_cpu_share() -> int:
    """Threads for this process; exits with a message where the environment's word is wrong."""
    text = os.environ.get(CPUS)
    try:
        return cpu_share(text, 1 if text else granted_cpus())
    except ValueError as error:
        raise SystemExit(f"remoe expert function: {error}") from error


def bound_blas(threads: int) -> None:
    """Have numpy's BLAS use so many threads; starting them costs tens of milliseconds."""
    for variable in THREAD_VARIABLES:
        os.environ[variable] = str(threads)
