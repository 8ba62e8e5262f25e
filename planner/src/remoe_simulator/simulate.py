"""The heartbeat of a day: take what happens next, and let its part deal with it."""

from __future__ import annotations

from collections.abc import Iterable

from remoe_planner.forecasting.after_prefill import AfterPrefill
from remoe_simulator.contender import Contender
from remoe_simulator.day import Day
from remoe_simulator.service import Service
from remoe_simulator.simulated_request import SimulatedRequest


def simulate(
    contender: Contender,
    requests: Iterable[SimulatedRequest],
    *,
    seed: int = 0,
    max_running: int = 8,
    horizon_seconds: float | None = None,
    after_prefill: AfterPrefill | None = None,
) -> Day:
    """Serve requests.

    Args:
        contender: who serves.
        requests: by arrival; may be drawn as they are needed.
        seed: of what chance makes of calls.
        max_running: requests decoded together at most; the others wait.
        horizon_seconds: length of the day; who comes later is not served, and who came before is
            served to the end. None for as long as anything happens.
        after_prefill: how forecasts of answers take prompts into account; unfitted if not given.

    Raises:
        ValueError: requests out of order, two of one name, or of another shape than the model;
            max_running or horizon_seconds out of bounds.
    """
    _check(max_running, horizon_seconds)
    service = Service(contender, seed=seed, max_running=max_running, after_prefill=after_prefill)
    service.expect(requests, until_seconds=horizon_seconds)
    while (event := service.agenda.take()) is not None:
        if horizon_seconds is not None and event.at_seconds > horizon_seconds and service.is_quiet:
            break
        service.deal_with(event)
    return service.day(horizon_seconds)


def _check(max_running: int, horizon_seconds: float | None) -> None:
    if max_running < 1:
        raise ValueError(f"max_running must be >= 1, got {max_running}")
    if horizon_seconds is not None and not horizon_seconds >= 0:
        raise ValueError(f"horizon_seconds must be >= 0, got {horizon_seconds}")
