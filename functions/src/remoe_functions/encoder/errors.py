"""What can go wrong when an encoder is made."""

from __future__ import annotations


class EncoderError(Exception):
    """An encoder cannot be had; says what is missing and what to do."""
