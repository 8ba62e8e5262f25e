"""What memory-seconds and calls cost. The amounts are somebody's price list; here they are data."""

from __future__ import annotations

import math
import tomllib
from dataclasses import dataclass, fields
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """A price list.

    Attributes:
        main_gib_second: price of one GiB of the main model's memory for one second.
        function_gib_second: the same for an expert function.
        gpu_gib_second: price of one GiB of GPU memory for one second (c_g), which a main model on
            a GPU pays beside its other memory.
        call: price of one call of an expert function.
        currency: what the prices are in.
        source: where the numbers come from, for people.
    """

    main_gib_second: float
    function_gib_second: float
    gpu_gib_second: float = 0.0
    call: float = 0.0
    currency: str = "USD"
    source: str = "given"

    def __post_init__(self) -> None:
        for name in ("main_gib_second", "function_gib_second", "gpu_gib_second", "call"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise ValueError(f"prices: {name} must be a number, got {value!r}")
            if not (math.isfinite(value) and value >= 0):
                raise ValueError(f"prices: {name} must be finite and >= 0, got {value}")
        for name in ("currency", "source"):
            if not isinstance(getattr(self, name), str) or not getattr(self, name):
                raise ValueError(f"prices: {name} must be text, got {getattr(self, name)!r}")

    @classmethod
    def from_toml(cls, text: str) -> Prices:
        """Read a price list: this class's fields as top-level TOML keys.

        Raises:
            ValueError: not TOML, a key unknown or missing, or a value not allowed; says which.
        """
        try:
            return cls.from_mapping(tomllib.loads(text))
        except tomllib.TOMLDecodeError as error:
            raise ValueError(f"prices: not TOML: {error}") from error

    @classmethod
    def from_mapping(cls, values: dict[str, Any]) -> Prices:
        """The same from keys and values already read.

        Raises:
            ValueError: a key is unknown or missing, or a value is not allowed; says which.
        """
        known = [field.name for field in fields(cls)]
        if strangers := sorted(set(values) - set(known)):
            raise ValueError(
                f"prices: unknown key {', '.join(strangers)}; allowed: {', '.join(known)}"
            )
        required = ("main_gib_second", "function_gib_second")
        if missing := [name for name in required if name not in values]:
            raise ValueError(f"prices: missing {', '.join(missing)}")
        return cls(**values)


_NO_CALL_FEE = "no fee per call, since functions are processes or pods of one's own"

DEFAULT_PRICES = Prices(
    main_gib_second=0.0000166667,
    function_gib_second=0.0000166667,
    currency="USD",
    source=(
        "assumption: AWS Lambda's list price per GiB-second (x86, first tier) for functions and "
        f"for a main model on CPU; {_NO_CALL_FEE}"
    ),
)
"""Used where no price list is given."""

DEFAULT_GPU_PRICES = Prices(
    main_gib_second=DEFAULT_PRICES.main_gib_second,
    function_gib_second=DEFAULT_PRICES.function_gib_second,
    gpu_gib_second=3 * DEFAULT_PRICES.main_gib_second,
    currency="USD",
    source=(
        "assumption: AWS Lambda's list price per GiB-second (x86, first tier) for memory, and "
        "three times that for a GPU's, the least ratio that the paper cites; "
        f"{_NO_CALL_FEE}"
    ),
)
"""The same where the main model has a GPU."""
