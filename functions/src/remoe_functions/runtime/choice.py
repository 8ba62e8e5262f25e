"""Which runtime this process belongs to, told by its environment: decided here and nowhere else."""

from __future__ import annotations

import os

from remoe_functions.runtime.control_client import CONTROL, ControlClient
from remoe_functions.runtime.kubernetes.runtime import SERVICE, KubernetesRuntime


def runtime_of_environment() -> KubernetesRuntime | ControlClient | None:
    """The cluster of $REMOE_SERVICE, the supervisor at $REMOE_CONTROL, or None.

    Raises:
        RuntimeUnavailable: the environment names one that cannot be reached by what it says.
    """
    if os.environ.get(SERVICE):
        # Main calls its functions; how they started is the gateway's to know.
        return KubernetesRuntime.from_environment(asks_for_phases=False)
    return ControlClient.from_environment() if os.environ.get(CONTROL) else None
