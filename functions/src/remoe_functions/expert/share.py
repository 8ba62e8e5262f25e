"""How much of the machine this process takes. Read before numpy loads: BLAS asks only once."""

from __future__ import annotations

import os

CPUS = "REMOE_CPUS"
THREAD_VARIABLES = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")


def cpu_share(text: str | None) -> int:
    """Threads for a CPU share such as "1", "2.5" or "0.5": whole ones, at least one.

    Raises:
        ValueError: the text is not a number > 0.
    """
    try:
        share = float(text or 1)
    except ValueError:
        share = 0.0
    if not 0 < share < 10_000:
        raise ValueError(f"{CPUS} must be a number > 0, got {text!r}")
    return max(1, int(share))


def take_cpu_share() -> None:
    """Bound BLAS to the CPU share in the environment; exits with a message where it is wrong."""
    try:
        threads = cpu_share(os.environ.get(CPUS))
    except ValueError as error:
        raise SystemExit(f"remoe expert function: {error}") from error
    for variable in THREAD_VARIABLES:
        os.environ[variable] = str(threads)
