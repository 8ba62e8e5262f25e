"""The shared library beside this file: loaded once, refused if it is not of these sources.

Spoken to with ctypes, since its alternatives need Python's headers at build time, which a fresh
machine has not. The structures mirror `native/remoe.h`.
"""

from __future__ import annotations

import ctypes
import struct
from functools import cache
from pathlib import Path

from remoe_functions.kernel.layout import (
    ANSWER,
    ATTENTION,
    BLOCK,
    CALL,
    EXPERT,
    LINEAR,
    MATRIX,
    STEP,
    STRETCH,
    Format,
)

_CALLS = ("remoe_forward", "remoe_answer", "remoe_linear", "remoe_attend", "remoe_run_stretch")
PATH = Path(__file__).with_name("libremoe_kernel.so")


class NativeKernelUnavailableError(Exception):
    """There is no native library for this platform, or it cannot be loaded; says why."""


@cache
def library() -> ctypes.CDLL:
    """The library.

    Raises:
        NativeKernelUnavailableError: it was not built, does not load, or is of other sources.
    """
    if not PATH.exists():
        raise NativeKernelUnavailableError(f"{PATH.name} was not built for this platform")
    try:
        loaded = ctypes.CDLL(str(PATH))
    except OSError as error:
        raise NativeKernelUnavailableError(f"{PATH.name} cannot be loaded: {error}") from error
    try:
        _declare(loaded)
    except AttributeError as error:
        raise NativeKernelUnavailableError(
            f"{PATH.name} is of other sources ({error}): install the package again"
        ) from error
    ours = {
        "remoe_abi": (EXPERT.size, CALL.size, MATRIX.size, len(Format), LINEAR.size, ANSWER.size),
        "remoe_step_abi": (ATTENTION.size, STEP.size, BLOCK.size, STRETCH.size),
    }
    theirs = {
        name: tuple(getattr(loaded, name)(index) for index in range(len(sizes)))
        for name, sizes in ours.items()
    }
    if theirs != ours:
        raise NativeKernelUnavailableError(
            f"{PATH.name} is of other sources ({theirs}, not {ours}): install the package again"
        )
    return loaded


def _declare(loaded: ctypes.CDLL) -> None:
    for call in _CALLS:
        getattr(loaded, call).argtypes = [ctypes.c_char_p]
        getattr(loaded, call).restype = ctypes.c_int
    loaded.remoe_can.argtypes = [ctypes.c_int]
    loaded.remoe_can.restype = ctypes.c_int
    for sizes in ("remoe_abi", "remoe_step_abi"):
        getattr(loaded, sizes).argtypes = [ctypes.c_int]
        getattr(loaded, sizes).restype = ctypes.c_int64
    loaded.remoe_read.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.c_int64, ctypes.c_int]
    loaded.remoe_read.restype = ctypes.c_uint64


def read(parts: list[tuple[int, int]], *, threads: int) -> int:
    """Read (address, bytes) after one another and do nothing: the bound of the benches."""
    addresses = struct.pack(f"{len(parts)}Q", *(address for address, _ in parts))
    sizes = struct.pack(f"{len(parts)}q", *(size for _, size in parts))
    return int(library().remoe_read(addresses, sizes, len(parts), threads))
