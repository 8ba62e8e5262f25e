"""Kubernetes quantities of bytes and cores, read and written in their normal form.

By hand because the cluster's client, which can read them, is heavy and is let in at one door
alone; and because nobody writes the normal form, without which an object that was applied differs
from the one that comes back.
"""

from __future__ import annotations

import re
from decimal import Decimal

_DECIMAL = {"k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_BINARY = {"Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30, "Ti": 1 << 40}
_DIGITS = re.compile(r"[0-9]+(\.[0-9]+)?")
_UNITS = {**_BINARY, **_DECIMAL}


def bytes_of(text: str) -> int:
    """Whole bytes in a quantity, rounded up.

    Raises:
        ValueError: it is none.
    """
    for unit, size in _UNITS.items():
        if text.endswith(unit):
            return _up(_number(text, text.removesuffix(unit)) * size)
    return _up(_number(text, text))


def millicores_of(text: str) -> int:
    """Thousandths of a core in a quantity, rounded up.

    Raises:
        ValueError: it is none.
    """
    if text.endswith("m"):
        return _up(_number(text, text.removesuffix("m")))
    return _up(_number(text, text) * 1000)


def memory(byte_count: int) -> str:
    """Bytes as the API server writes them: by the largest unit that leaves a whole number."""
    for unit, size in reversed(_BINARY.items()):
        if byte_count and byte_count % size == 0:
            return f"{byte_count // size}{unit}"
    return str(byte_count)


def cpu(millicores: int) -> str:
    """Thousandths of a core as the API server writes them."""
    return str(millicores // 1000) if millicores % 1000 == 0 else f"{millicores}m"


def _number(text: str, digits: str) -> Decimal:
    if not _DIGITS.fullmatch(digits):
        raise ValueError(f"{text!r} is no quantity, such as 500m or 2Gi")
    return Decimal(digits)


def _up(value: Decimal) -> int:
    return int(value.to_integral_value(rounding="ROUND_CEILING"))
