"""Which kernel a function computes with: the native one, or numpy where that cannot run."""

from __future__ import annotations

import os
import sys

from remoe_functions.expert.computing import Kernel
from remoe_functions.kernel.machine import instruction_set, native_available


def choose_kernel(threads: int) -> Kernel:
    """The best kernel for this machine; says on standard error why it is not the native one.

    Raises:
        ValueError: the environment names an instruction set that this machine has not.
    """
    found = native_available()
    if not found.available:
        sys.stderr.write(f"experts are computed with numpy, slowly: {found.reason}\n")
        from remoe_functions.expert.kernel import NumpyKernel

        return NumpyKernel()
    from remoe_functions.expert.native import NativeKernel

    return NativeKernel(instruction_set(os.environ), threads=threads)
