"""Writes safetensors files byte by byte, sound ones and spoiled ones."""

from __future__ import annotations

import json


def written(path, header, data=b""):
    """A file of this header (a dict, or raw bytes) and these data bytes."""
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(len(raw).to_bytes(8, "little") + raw + data)
    return path


def entry(begin, end, *, dtype="F32", shape=None):
    """A header entry; the shape is one row of floats by default."""
    return {
        "dtype": dtype,
        "shape": [(end - begin) // 4] if shape is None else shape,
        "data_offsets": [begin, end],
    }
