"""The one door to contenders: a setting in, everybody who is compared out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType

from remoe_simulator.contender import Contender, ContenderName
from remoe_simulator.contenders.apart import function_per_expert, function_per_layer
from remoe_simulator.contenders.planned import ours, printed
from remoe_simulator.contenders.resident import all_on_cpu, all_on_gpu, fetched, mixed
from remoe_simulator.contenders.setting import Setting

MAKERS: Mapping[ContenderName, Callable[[Setting], Contender]] = MappingProxyType(
    {
        ContenderName.CPU: all_on_cpu,
        ContenderName.GPU: all_on_gpu,
        ContenderName.MIX: mixed,
        ContenderName.FETCH: fetched,
        ContenderName.PRINTED: printed,
        ContenderName.OURS: ours,
        ContenderName.PER_EXPERT: function_per_expert,
        ContenderName.PER_LAYER: function_per_layer,
    }
)
"""How each of them comes about."""


def contenders(
    setting: Setting, names: Iterable[ContenderName] = tuple(ContenderName)
) -> tuple[Contender, ...]:
    """Those asked for, in that order; each plan carries its estimate.

    Raises:
        ValueError: nothing that a planning contender could rent is on offer.
    """
    return tuple(MAKERS[name](setting) for name in names)
