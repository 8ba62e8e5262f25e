"""What can go wrong while experts are quantized."""

from __future__ import annotations


class QuantizationError(Exception):
    """The sidecar was not made; the message says why, and nothing half-made was left as one."""
