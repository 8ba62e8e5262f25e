"""A hardware profile as a table for people."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from rich.table import Table

from remoe_planner.hardware.expert_time import ExpertTime
from remoe_planner.hardware.profile import HardwareProfile

_MILLI, _MICRO, _MIB = 1e3, 1e6, 1 << 20
_ROWS = (1.0, 16.0, 256.0)


def profile_table(profile: HardwareProfile) -> Table:
    """The numbers that decide a plan, one a row."""
    title = f"{profile.name}: {'measured' if profile.measured else 'stated, not measured'}"
    table = Table(title=title, title_justify="left", caption=profile.source)
    table.add_column("what")
    for rows in _ROWS:
        table.add_column(f"{rows:.0f} rows" if rows > 1 else "1 row", justify="right")
    for name, given in (("with functions", profile), ("alone", profile.of_main(functions=False))):
        where = f"{name}, {given.main_cores:g} cores"
        table.add_row(f"layer without experts, ms ({where})", *_cells(given.module.at(_ROWS)))
        table.add_row(f"local expert, ms ({where})", *_expert(given.local_expert, given.main_cores))
    for cores in profile.remote_expert.cores:
        table.add_row(
            f"remote expert, ms ({cores:g} cores)", *_expert(profile.remote_expert, cores)
        )
    for name, value in _single(profile).items():
        table.add_row(name, value)
    return table


def _expert(time: ExpertTime, cores: float) -> list[str]:
    return _cells(time.seconds(_ROWS, cores))


def _cells(seconds: NDArray[np.float64]) -> list[str]:
    return [f"{value * _MILLI:.3f}" for value in seconds.tolist()]


def _single(profile: HardwareProfile) -> dict[str, str]:
    call, memory = profile.call, profile.memory
    values = {
        "between passes, ms a step": f"{float(profile.step.at(1)) * _MILLI:.3f}",
        "front door, ms a request": f"{profile.request_seconds * _MILLI:.1f}",
        "context, us a layer and 1,000 tokens": f"{profile.context_seconds * 1e3 * _MICRO:.1f}",
        "call, us": f"{call.mean_seconds * _MICRO:.0f} ± {call.deviation_seconds * _MICRO:.0f}",
        "of it main's own work, us": f"{call.main_seconds * _MICRO:.0f}",
        "rows travel, GB/s": f"{call.bytes_per_second / 1e9:.2f}",
        "overlap of local and remote work": f"{profile.overlap:.2f}",
        "main starts, s": f"{profile.main_start.seconds:.2f}",
        "function starts, s": f"{profile.function_start.seconds:.2f}",
    }
    if memory is not None:
        values["main beside its weights, MiB"] = f"{memory.main_working_bytes / _MIB:.0f}"
        values["function beside its weights, MiB"] = f"{memory.function_working_bytes / _MIB:.0f}"
    return values
