"""An EndpointSlice: where the replicas of a part take work."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from remoe_functions.runtime.kubernetes.api import Object
from remoe_functions.runtime.kubernetes.labels import Service, labels_of

# By name, the first that a slice has: where work is taken, of a function and of main.
_PORTS = ("calls", "http")
_FAMILIES = ("IPv4", "IPv6")


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """One replica's address.

    Attributes:
        pod: the replica's name; its host where the slice does not tell.
        host: its IP address.
        port: where it takes work.
    """

    pod: str
    host: str
    port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """What one EndpointSlice says.

    Attributes:
        part: the part whose replicas these are.
        family: IPv4 or IPv6.
        addresses: the replicas that take work: ready, and not on their way out.
    """

    part: str
    family: str
    addresses: tuple[Address, ...]

    @classmethod
    def read(cls, service: Service, item: Object) -> Slice | None:
        """The value of a slice; None where it is not one of the service's parts'."""
        part, family = service.part_of(labels_of(item)), item.get("addressType", "")
        if part is None or family not in _FAMILIES:
            return None
        port = _port(item)
        found = () if port is None else tuple(_addresses(item, port))
        return cls(part=part, family=family, addresses=found)


def addresses_of(slices: Iterable[Slice], part: str) -> dict[str, Address]:
    """The addresses of a part's replicas by pod; of two families the first in `_FAMILIES`."""
    ours = [s for s in slices if s.part == part]
    ours.sort(key=lambda s: _FAMILIES.index(s.family), reverse=True)
    return {address.pod: address for s in ours for address in s.addresses}


def _port(item: Object) -> int | None:
    ports = {p.get("name") or "": p.get("port") for p in item.get("ports") or ()}
    named = [ports[name] for name in _PORTS if ports.get(name)]
    port = next(iter(named or [p for p in ports.values() if p]), None)
    return None if port is None else int(port)


def _addresses(item: Object, port: int) -> Iterable[Address]:
    for endpoint in item.get("endpoints") or ():
        conditions = endpoint.get("conditions") or {}
        # A readiness that is not told means ready, by the API's own words.
        if conditions.get("ready") is False or conditions.get("terminating"):
            continue
        hosts, target = endpoint.get("addresses") or (), endpoint.get("targetRef") or {}
        if hosts:
            yield Address(pod=target.get("name") or hosts[0], host=hosts[0], port=port)
