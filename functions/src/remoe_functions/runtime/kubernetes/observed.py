"""What is known of all parts, put together anew with every word of the cluster."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping

from remoe_functions.runtime.kubernetes.endpoints import Address, Slice, addresses_of
from remoe_functions.runtime.kubernetes.pod import Pod
from remoe_functions.runtime.kubernetes.starts import Starts
from remoe_functions.runtime.kubernetes.status import part_status
from remoe_functions.runtime.kubernetes.tally import Tally
from remoe_functions.runtime.kubernetes.workload import Workload
from remoe_functions.runtime.state import PartStatus


class Observed:
    """The parts as last told, and what was counted of each. Belongs to one event loop."""

    def __init__(self, starts: Starts, *, clock: Callable[[], float]) -> None:
        """Know nothing yet.

        Args:
            starts: knows how long replicas took to start.
            clock: seconds, monotonic.
        """
        self._starts = starts
        self._clock = clock
        self._tallies: dict[str, Tally] = defaultdict(Tally)
        self._workloads: tuple[Workload, ...] = ()
        self._pods: Mapping[str, list[Pod]] = {}
        self._addresses: Mapping[str, Mapping[str, Address]] = {}

    def see(
        self, workloads: Iterable[Workload], pods: Iterable[Pod], slices: Iterable[Slice]
    ) -> None:
        """Take in how things stand now."""
        slices, pods = tuple(slices), tuple(pods)
        by_part: dict[str, list[Pod]] = defaultdict(list)
        for pod in pods:
            by_part[pod.part].append(pod)
        self._workloads, self._pods = tuple(workloads), by_part
        self._addresses = {w.part: addresses_of(slices, w.part) for w in self._workloads}
        now = self._clock()
        for workload in self._workloads:
            self._tallies[workload.part].see(now, workload, by_part.get(workload.part, ()))
        self._starts.see(pods, {k: a for by in self._addresses.values() for k, a in by.items()})

    def parts(self) -> dict[str, PartStatus]:
        """Every part now, by name."""
        return {workload.part: self._status(workload) for workload in self._workloads}

    def _status(self, workload: Workload) -> PartStatus:
        tally = self._tallies[workload.part]
        tally.pass_time(self._clock())
        return part_status(
            workload,
            self._pods.get(workload.part, ()),
            self._addresses[workload.part],
            self._starts.phases,
            tally,
        )
