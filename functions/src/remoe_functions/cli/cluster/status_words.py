"""The status of services, in lines for a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from remoe_functions.cli.cluster.moments import ago
from remoe_functions.cli.cluster.plan_words import in_short
from remoe_functions.cli.cluster.view import READY, Condition, Part, ServiceView

_LATEST = 5
_HEADINGS = ("NAMESPACE", "NAME", "READY", "REASON", "MODEL", "COST/H", "AGE")
_HEALTHY = {"True": "✓", "False": "✗"}


def overview(services: Iterable[ServiceView]) -> Iterator[str]:
    """A table of services, a line each."""
    rows = [_HEADINGS, *(_row(service) for service in services)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "   ".join(map(str.ljust, row, widths)).rstrip()


def _row(service: ServiceView) -> tuple[str, ...]:
    ready = service.ready
    cost, age = service.cost or "", ago(service.created)
    return (
        *(service.namespace, service.name, ready.status, ready.reason),
        *(service.uri, cost, age),
    )


def report(service: ServiceView, events: Sequence[Any]) -> Iterator[str]:
    """All about one service, the sum first."""
    ready = service.ready
    yield f"{service.namespace}/{service.name}: {_sum(ready)}"
    if service.is_stale:
        yield "  (the spec was changed; the operator has not looked at it since)"
    yield from _facts(service)
    others = (each for each in service.conditions if each.kind != READY)
    yield from _section("Conditions", (_condition(each) for each in others))
    yield from _section("Parts", _parts(service))
    yield from _section("Latest changes", (_change(each) for each in service.scaling[-_LATEST:]))
    yield from _section("Latest events", (_event(each) for each in _latest(events)))


def _sum(ready: Condition) -> str:
    word = {"True": "ready", "False": "not ready"}.get(ready.status, "not known")
    return f"{word} ({ready.reason}): {ready.message}" if ready.message else word


def _facts(service: ServiceView) -> Iterator[str]:
    yield f"  model       {service.uri}, clients ask for {service.model}"
    if service.url:
        yield f"  address     {service.url}"
    if service.fetch and service.fetch["bytesDone"] < service.fetch["bytesTotal"]:
        yield f"  fetched     {_fetched(service.fetch)}"
    if service.plan:
        yield f"  plan        {in_short(service.plan)}"
    if service.proposed:
        yield f"  proposed    {in_short(service.proposed)}"
        yield f"              see and approve: remoe plan --cluster {service.arguments}"
    if service.cost:
        yield f"  cost now    {service.cost} an hour"


def _fetched(fetch: Mapping[str, Any]) -> str:
    done, total = fetch["bytesDone"], fetch["bytesTotal"]
    return f"{done / 1e9:.1f} of {total / 1e9:.1f} GB ({done / total:.0%})"


def _section(title: str, lines: Iterable[str]) -> Iterator[str]:
    found = list(lines)
    if found:
        yield ""
        yield title
        yield from (f"  {line}" for line in found)


def _condition(condition: Condition) -> str:
    mark = _HEALTHY.get(condition.status, "?")
    return f"{mark} {condition.kind:<18} {condition.reason}: {condition.message}"


def _parts(service: ServiceView) -> Iterator[str]:
    current = service.plan["digest"] if service.plan else None
    width = max((len(part.name) for part in service.parts), default=0)
    for part in service.parts:
        other = f"   of plan {part.plan}" if part.plan not in (None, current) else ""
        trouble = f"   {part.trouble}" if part.trouble else ""
        yield f"{part.name:<{width}}  {part.kind:<8}  {_replicas(part)}{other}{trouble}"


def _replicas(part: Part) -> str:
    if part.desired == 0 and part.ready == 0:
        return "asleep"
    return f"{part.ready} of {part.desired} ready"


def _change(change: Mapping[str, Any]) -> str:
    return f"{ago(change['time']):>4} ago  {change['part']}: {change['before']} → {change['after']}"


def _latest(events: Sequence[Any]) -> Sequence[Any]:
    return sorted(events, key=lambda event: str(_moment(event)))[-_LATEST:]


def _moment(event: Any) -> Any:  # noqa: ANN401 - the client library's event
    return event.last_timestamp or event.event_time or event.metadata.creation_timestamp


def _event(event: Any) -> str:  # noqa: ANN401 - the client library's event
    return f"{ago(_moment(event)):>4} ago  {event.type:<7}  {event.reason}: {event.message}"
