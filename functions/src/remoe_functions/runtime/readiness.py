"""Waiting for a part to take work, derived from `watch`. Waking it first is the caller's."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

from remoe_functions.runtime.errors import PartNotReady, RuntimeUnavailable, UnknownPart
from remoe_functions.runtime.runtime import Runtime
from remoe_functions.runtime.state import PartStatus, Replica

RESTARTS_ALLOWED = 3


async def wait_ready(
    runtime: Runtime,
    name: str,
    timeout_seconds: float,
    *,
    restarts_allowed: int = RESTARTS_ALLOWED,
) -> Replica:
    """Wait until a part has a ready replica, and return the first.

    Args:
        runtime: whose part it is.
        name: the part.
        timeout_seconds: bound of the wait, > 0.
        restarts_allowed: give up early once the part was restarted more often than this
            during the wait: it will not come up by waiting.

    Raises:
        PartNotReady: not in time, or failing again and again; tells the last failure.
        UnknownPart: no part of that name.
        RuntimeUnavailable: the runtime went away for good.
    """
    if timeout_seconds <= 0:
        raise ValueError(f"timeout_seconds must be > 0, got {timeout_seconds}")
    seen: list[PartStatus] = []
    try:
        async with asyncio.timeout(timeout_seconds):
            return await _first_ready(runtime, name, seen, restarts_allowed)
    except TimeoutError:
        last_failure = seen[-1].last_failure if seen else None
        reason = f"no replica within {timeout_seconds:g} s"
        raise PartNotReady(name, reason, last_failure) from None


async def _first_ready(
    runtime: Runtime, name: str, seen: list[PartStatus], restarts_allowed: int
) -> Replica:
    async with aclosing(runtime.watch()) as snapshots:
        async for snapshot in snapshots:
            if name not in snapshot.parts:
                raise UnknownPart(name)
            part = snapshot.parts[name]
            if part.ready:
                return part.ready[0]
            seen.append(part)
            if part.restarts - seen[0].restarts > restarts_allowed:
                raise PartNotReady(name, "it fails again and again", part.last_failure)
            del seen[1:-1]
    raise RuntimeUnavailable(f"the runtime ended while part {name!r} was awaited")
