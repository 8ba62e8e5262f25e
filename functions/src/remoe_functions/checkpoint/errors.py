"""What can be wrong with a checkpoint folder.

CheckpointError                 missing, truncated, corrupt, or contradicting its config
├── UnsupportedModelError       sound perhaps, but not a model whose experts are understood
└── SidecarError                the file of quantized experts is missing, foreign or outdated
"""

from __future__ import annotations


class CheckpointError(Exception):
    """The folder cannot be served; the message names the file or field at fault."""


class UnsupportedModelError(CheckpointError):
    """The model's experts are not understood, so it is refused rather than served wrongly."""


class SidecarError(CheckpointError):
    """The quantized experts cannot be served; the message names the file, and what makes it."""
