"""Wanting more replicas of a part, through the scale subresource of its Deployment.

Fewer are never wanted from here: putting to sleep is the operator's alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from remoe_functions.runtime.errors import RuntimeUnavailable, ScaleOutOfBounds, UnknownPart
from remoe_functions.runtime.kubernetes.api import ApiServer, Object
from remoe_functions.runtime.kubernetes.errors import Conflict, Missing, Rejected

ATTEMPTS = 8


@dataclass(frozen=True, slots=True)
class Scale:
    """Replicas wanted of a part, and the resourceVersion of the object that says so."""

    replicas: int
    version: str

    @classmethod
    def read(cls, item: Object) -> Scale:
        """The value of a Scale object, in which a zero is left out."""
        replicas = int((item.get("spec") or {}).get("replicas", 0))
        return cls(replicas, str(item["metadata"]["resourceVersion"]))


class Scaler:
    """Raises numbers of replicas, never lowers one. Belongs to one event loop."""

    def __init__(
        self,
        api: ApiServer,
        path: Callable[[str], str],
        known: Callable[[str], Scale | None],
    ) -> None:
        """Nothing is asked yet.

        Args:
            api: whom to ask.
            path: of a part's scale.
            known: a part's scale as watched; None where that cannot be relied on.
        """
        self._api = api
        self._path = path
        self._known = known
        self._under_way: dict[tuple[str, int], asyncio.Task[None]] = {}

    async def raise_to(self, part: str, replicas: int) -> None:
        """Want at least so many. A herd that wants the same asks once.

        Raises:
            UnknownPart: the cluster has no such Deployment.
            ScaleOutOfBounds: the cluster does not accept the number.
            RuntimeUnavailable: no answer.
        """
        known = self._known(part)
        if known is not None and known.replicas >= replicas:
            return
        key = (part, replicas)
        if (task := self._under_way.get(key)) is None:
            task = self._under_way[key] = asyncio.create_task(self._raise(part, replicas, known))
            task.add_done_callback(lambda done: self._finished(key, done))
        # It is the herd's, not his who happened to come first and may leave.
        await asyncio.shield(task)

    async def aclose(self) -> None:
        """Give up what is under way."""
        tasks = list(self._under_way.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _finished(self, key: tuple[str, int], task: asyncio.Task[None]) -> None:
        del self._under_way[key]
        # Looked at even where everybody who waited has left.
        if not task.cancelled():
            task.exception()

    async def _raise(self, part: str, replicas: int, scale: Scale | None) -> None:
        try:
            for _ in range(ATTEMPTS):
                scale = scale or await self._look(part)
                if scale.replicas >= replicas or await self._put(part, replicas, scale.version):
                    return
                scale = None
        except Missing:
            raise UnknownPart(part) from None
        except Rejected as error:
            raise ScaleOutOfBounds(f"part {part!r}: {error}") from error
        raise RuntimeUnavailable(
            f"part {part!r} was changed by others whenever it was to be scaled, {ATTEMPTS} times"
        )

    async def _look(self, part: str) -> Scale:
        return Scale.read(await self._api.get(self._path(part)))

    async def _put(self, part: str, replicas: int, version: str) -> bool:
        """Whether the number was taken; not where somebody changed the object meanwhile."""
        change = {"metadata": {"resourceVersion": version}, "spec": {"replicas": replicas}}
        try:
            await self._api.patch(self._path(part), change)
        except Conflict:
            return False
        return True
