"""Which files of a folder make a checkpoint, how one begins, and where it is sampled.

Imported before anything else of an expert function (`expert.first_reading`), so it imports nothing.
"""

from __future__ import annotations

CONFIG_FILE = "config.json"
SINGLE_FILE = "model.safetensors"
INDEX_FILE = "model.safetensors.index.json"
LENGTH_BYTES = 8
"""A safetensors file begins with the length of its header, little-endian; the tensors follow it."""
SAMPLE_SPOTS = 64
"""Of all files together."""
SAMPLE_BYTES = 512


def sample_spots(size_bytes: int, header_bytes: int, files: int) -> range:
    """Where a file is looked at to tell its weights from others of the same shapes.

    Args:
        size_bytes: of the file.
        header_bytes: of its header.
        files: of the checkpoint.

    Returns:
        Evenly spaced places in the tensors, SAMPLE_BYTES of interest at each.
    """
    start = LENGTH_BYTES + header_bytes
    step = (size_bytes - start) // max(1, SAMPLE_SPOTS // files)
    return range(start, size_bytes, max(1, step))
