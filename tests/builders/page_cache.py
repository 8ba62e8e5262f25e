"""What the system holds of a file in its memory, and having it forget."""

from __future__ import annotations

import ctypes
import mmap
import os

import numpy as np
import pytest


def in_memory(path):
    """Which pages of a file the system holds: bool [pages]."""
    pages = -(-path.stat().st_size // mmap.PAGESIZE)
    held = (ctypes.c_ubyte * pages)()
    with path.open("rb") as file:
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
        address = ctypes.addressof(ctypes.c_char.from_buffer(mapped))
        size = ctypes.c_size_t(len(mapped))
        assert ctypes.CDLL(None).mincore(ctypes.c_void_p(address), size, held) == 0
    return np.frombuffer(bytes(held), np.uint8) & 1 == 1


def dropped(path):
    """Have the system forget a file; skip where it will not."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    if in_memory(path).any():
        pytest.skip("this file system keeps its files in memory")


def pages_of(checkpoint, expert, path):
    """The whole pages of an expert's tensors, by number."""
    ranges = (checkpoint._home._range(*piece) for piece in checkpoint._pieces(expert))
    return np.concatenate(
        [np.arange(-(-begin // mmap.PAGESIZE), end // mmap.PAGESIZE) for _, begin, end in ranges]
    )
