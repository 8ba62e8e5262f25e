"""Local and remote work side by side: what a layer waits for, and how many calls run at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from remoe_planner.hardware.profile import HardwareProfile


def together(profile: HardwareProfile, local: ArrayLike, remote: ArrayLike) -> NDArray[np.float64]:
    """Seconds of local and remote work begun together, of the shape that both broadcast to.

    The paper's max holds where functions have cores of their own; the profile says how much of
    the shorter one is really hidden.
    """
    one, other = np.asarray(local, np.float64), np.asarray(remote, np.float64)
    hidden = profile.overlap * np.minimum(one, other)
    return np.asarray(one + other - hidden)


def in_line(profile: HardwareProfile, concentration: ArrayLike) -> NDArray[np.float64]:
    """How much of the functions' work is done one after the other, 0 to 1.

    Args:
        profile: the machine; functions that share fewer cores than there are calls wait in line.
        concentration: the chance that two remote picks lie in the same function.
    """
    own = np.asarray(concentration, np.float64)
    if profile.function_cores is None:
        return own
    return np.maximum(own, 1 / max(1.0, profile.function_cores))
