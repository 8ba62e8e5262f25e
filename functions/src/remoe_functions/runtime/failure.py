"""Why a replica ended, in words for people. Deciding what to do about it does not belong here."""

from __future__ import annotations

import signal

_OUT_OF_MEMORY = ("MemoryError", "bad_alloc", "Cannot allocate memory", "OpenBLAS error")


def describe_exit(
    returncode: int | None, log_tail: str, *, killed_because: str | None, limit_bytes: int | None
) -> str:
    """One line on how a process ended and what it said last.

    Args:
        returncode: as in `subprocess`: negative for a signal; None where it never started.
        log_tail: its last words; may be empty.
        killed_because: why the runtime killed it, where it did.
        limit_bytes: its private memory limit, where it had one.
    """
    sentences = [killed_because or _how(returncode)]
    if limit_bytes is not None and any(sign in log_tail for sign in _OUT_OF_MEMORY):
        sentences.append(f"it ran into its memory limit of {limit_bytes / 2**20:.0f} MiB")
    if log_tail:
        sentences.append(f"last words: {log_tail}")
    return "; ".join(sentences)


def _how(returncode: int | None) -> str:
    if returncode is None:
        return "could not be started"
    if returncode >= 0:
        return f"exited with code {returncode}"
    try:
        name = signal.Signals(-returncode).name
    except ValueError:
        name = f"signal {-returncode}"
    return f"was killed by {name}"
