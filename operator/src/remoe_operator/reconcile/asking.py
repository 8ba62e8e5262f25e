"""Questions to pods over HTTP: how far a fetch has come, and what a gateway has seen used."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import aiohttp
from pydantic import ValidationError

from remoe_operator.children import ports
from remoe_operator.cluster.kinds import Manifest
from remoe_operator.reconcile.observed import is_ready
from remoe_operator.resource.status import FetchProgress


class Pods:
    """Bounded questions to pods; an answer that does not come is None, and no error.

    Args:
        session: to ask with.
        timeout_seconds: for a whole question.
    """

    def __init__(self, session: aiohttp.ClientSession, *, timeout_seconds: float = 3.0) -> None:
        self._session = session
        self._timeout = aiohttp.ClientTimeout(total=timeout_seconds)

    async def ask(
        self, pod: Manifest, port: int, path: str, query: Mapping[str, str] | None = None
    ) -> Mapping[str, Any] | None:
        """GET a JSON object."""
        address = (pod.get("status") or {}).get("podIP")
        if not address:
            return None
        host = f"[{address}]" if ":" in address else address
        try:
            async with self._session.get(
                f"http://{host}:{port}{path}", params=query, timeout=self._timeout
            ) as response:
                if response.status != 200:
                    return None
                answer = await response.json(content_type=None)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
            return None
        return answer if isinstance(answer, dict) else None

    async def progress(self, pod: Manifest) -> FetchProgress | None:
        """How far a fetch pod has come."""
        answer = await self.ask(pod, ports.PROGRESS, "/progress") or {}
        told = {name: answer.get(name) for name in ("bytes_done", "bytes_total", "revision")}
        try:
            return FetchProgress.model_validate(told)
        except ValidationError:
            return None

    async def usage(self, gateways: Iterable[Manifest], model: str) -> Mapping[str, Any] | None:
        """What the first gateway that answers has seen used of a model."""
        for pod in gateways:
            if is_ready(pod):
                answer = await self.ask(pod, ports.API, "/usage", {"model": model})
                if answer is not None:
                    return answer
        return None
