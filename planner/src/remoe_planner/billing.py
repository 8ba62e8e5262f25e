"""The two ways in which use is paid for."""

from __future__ import annotations

from enum import StrEnum


class Billing(StrEnum):
    """When a part's memory is paid for."""

    BUSY = "busy"
    """While it computes, as the paper has it and function platforms bill."""

    AWAKE = "awake"
    """From start to stop, keep-alive included, as pods and processes are."""
