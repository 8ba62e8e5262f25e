"""The seam between the service and whatever runs its parts: processes here, pods elsewhere.

Scaling is declarative and watching is level-based, so that the Kubernetes API (the scale
subresource, EndpointSlices) fits behind it unchanged. No implementation belongs here.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Protocol, runtime_checkable

from remoe_functions.runtime.state import Snapshot


@runtime_checkable
class Runtime(Protocol):
    """Starts, counts, watches and stops parts. Every method may raise `RuntimeUnavailable`."""

    async def scale(self, name: str, replicas: int) -> None:
        """Want so many replicas of a part; returns before they are there.

        Raises:
            UnknownPart: no part of that name.
            ScaleOutOfBounds: the part may not have that many.
        """

    async def wake(self, name: str) -> None:
        """Want at least one replica. Idempotent, and cheap when the part is already awake.

        A wake also restarts the part's keep-alive, so call it when work is coming.

        Raises:
            UnknownPart: no part of that name.
        """

    async def snapshot(self) -> Snapshot:
        """Every part now."""

    def watch(self) -> AsyncGenerator[Snapshot]:
        """The present snapshot first, then one after every change, coalesced.

        Memory and awake seconds move all the time and are no change by themselves; they are as
        fresh as the snapshot that carries them, which comes again every few seconds. Close the
        generator (`contextlib.aclosing`) to stop watching at once.
        """
