"""The alphabet in which byte-level tokenizers write bytes: one printable character each (GPT-2)."""

from __future__ import annotations

from collections.abc import Mapping


def _alphabet() -> dict[str, int]:
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(0x100) if byte not in set(printable)]
    shifted = {chr(0x100 + place): byte for place, byte in enumerate(others)}
    return {chr(byte): byte for byte in printable} | shifted


BYTE_OF_CHARACTER: Mapping[str, int] = _alphabet()
