"""Requests as they come: checked, in order, and never more of them in hand than needed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import attrgetter

from remoe_planner.architecture import Architecture
from remoe_simulator.agenda import Agenda, Happening
from remoe_simulator.simulated_request import SimulatedRequest


class Arrivals:
    """Writes the next arrivals down whenever those before have happened.

    Attributes:
        expected: whether somebody still comes.
    """

    def __init__(
        self,
        requests: Iterable[SimulatedRequest],
        architecture: Architecture,
        *,
        agenda: Agenda,
        horizon_seconds: float | None,
    ) -> None:
        self._moments = groupby(_checked(requests, architecture), key=attrgetter("arrival_seconds"))
        self._agenda, self._horizon_seconds = agenda, horizon_seconds
        self._next: dict[str, SimulatedRequest] = {}
        self._write_down()

    @property
    def expected(self) -> bool:
        return bool(self._next)

    def take(self, name: str) -> SimulatedRequest:
        """The request that has come."""
        request = self._next.pop(name)
        if not self._next:
            self._write_down()
        return request

    def _write_down(self) -> None:
        at, group = next(self._moments, (0.0, ()))
        if self._horizon_seconds is not None and at >= self._horizon_seconds:
            return
        self._next = {request.name: request for request in group}
        for name in self._next:
            self._agenda.put(at, Happening.ARRIVAL, name)


def _checked(
    requests: Iterable[SimulatedRequest], architecture: Architecture
) -> Iterator[SimulatedRequest]:
    names: set[str] = set()
    latest = 0.0
    for request in requests:
        if request.arrival_seconds < latest:
            raise ValueError(
                f"request {request.name}: arrivals must ascend, got {request.arrival_seconds} "
                f"after {latest}"
            )
        if request.name in names:
            raise ValueError(f"request {request.name}: names must be unique in a day")
        _check_shape(request, architecture)
        latest = request.arrival_seconds
        names.add(request.name)
        yield request


def _check_shape(request: SimulatedRequest, architecture: Architecture) -> None:
    layers, experts = architecture.shape
    if request.chunk_rows.shape[1:] != (layers, experts):
        raise ValueError(
            f"request {request.name}: chunk_rows must be [chunks, {layers}, {experts}], "
            f"got {request.chunk_rows.shape}"
        )
    if request.answer_picks.shape[1:] != (layers, architecture.top_k):
        raise ValueError(
            f"request {request.name}: answer_picks must be [steps, {layers}, "
            f"{architecture.top_k}], got {request.answer_picks.shape}"
        )
