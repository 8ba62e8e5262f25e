"""What this machine can compute with: instruction sets, and whether there is native code at all."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from functools import cache
from typing import NamedTuple

from remoe_functions.kernel.library import NativeKernelUnavailableError, library

VARIABLE = "REMOE_INSTRUCTION_SET"


class InstructionSet(StrEnum):
    """The code paths, best first; each is the same source compiled for other instructions."""

    AVX512_BF16 = "avx512_bf16"
    AVX512 = "avx512"
    AVX2 = "avx2"
    NEON = "neon"
    PLAIN = "plain"

    @property
    def number(self) -> int:
        """Its place in `native/remoe.h`."""
        return _NUMBERS[self]


_NUMBERS = {instructions: number for number, instructions in enumerate(InstructionSet)}


class NativeAvailability(NamedTuple):
    """Whether there is native code here, and the reason why or why not."""

    available: bool
    reason: str


@cache
def native_available() -> NativeAvailability:
    """Whether the native library is here and of these sources."""
    try:
        library()
    except NativeKernelUnavailableError as error:
        return NativeAvailability(False, str(error))
    return NativeAvailability(True, f"native kernel with {', '.join(available())}")


@cache
def available() -> tuple[InstructionSet, ...]:
    """The instruction sets of this machine, best first; never empty.

    Raises:
        NativeKernelUnavailableError: there is no native library.
    """
    native = library()
    return tuple(it for it in InstructionSet if native.remoe_can(it.number))


def instruction_set(environment: Mapping[str, str]) -> InstructionSet:
    """The set that REMOE_INSTRUCTION_SET names, else the best of this machine.

    Raises:
        ValueError: it names none, or one that this machine has not.
        NativeKernelUnavailableError: there is no native library.
    """
    wanted = environment.get(VARIABLE)
    if not wanted:
        return available()[0]
    if wanted not in available():
        allowed = ", ".join(available())
        raise ValueError(f"{VARIABLE} must be one of {allowed} on this machine, got {wanted!r}")
    return InstructionSet(wanted)
