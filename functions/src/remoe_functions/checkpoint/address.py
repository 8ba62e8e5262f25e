"""Where memory lies that Python objects lend (mapped files, arrays, bytes), and having it paged in.

By Python's own C interface, since numpy, which would tell too, is not imported for this.
"""

from __future__ import annotations

import ctypes
import mmap
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

_SIMPLE = 0  # contiguous bytes, read-only or not
_POPULATE_READ = 22  # Linux's MADV_POPULATE_READ, which the standard library does not name


class _Lent(ctypes.Structure):
    """`Py_buffer`, which is part of the stable interface."""

    _fields_ = (
        ("buf", ctypes.c_void_p),
        ("obj", ctypes.c_void_p),
        ("len", ctypes.c_ssize_t),
        ("itemsize", ctypes.c_ssize_t),
        ("readonly", ctypes.c_int),
        ("ndim", ctypes.c_int),
        ("format", ctypes.c_void_p),
        ("shape", ctypes.c_void_p),
        ("strides", ctypes.c_void_p),
        ("suboffsets", ctypes.c_void_p),
        ("internal", ctypes.c_void_p),
    )


_take = ctypes.pythonapi.PyObject_GetBuffer
_take.argtypes = [ctypes.py_object, ctypes.POINTER(_Lent), ctypes.c_int]
_leave = ctypes.pythonapi.PyBuffer_Release
_leave.argtypes = [ctypes.POINTER(_Lent)]
_leave.restype = None


_advise = ctypes.CDLL(None).madvise
_advise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]


def address_of(memory: memoryview | np.ndarray[Any, Any]) -> int:
    """Where the first byte lies; valid as long as somebody holds the memory.

    Raises:
        BufferError: the memory is not contiguous.
    """
    lent = _Lent()
    _take(memory, ctypes.byref(lent), _SIMPLE)
    address: int | None = lent.buf
    _leave(ctypes.byref(lent))
    return address or 0


def address_of_own(memory: bytearray | memoryview) -> int:
    """The same for bytes that are ours to write, at least one: ten times as fast."""
    return ctypes.addressof(ctypes.c_char.from_buffer(memory))


def page_in(memory: memoryview) -> bool:
    """Bring the pages of mapped memory into this process; other threads of Python go on meanwhile.

    Returns:
        Whether that was done: not every system can.
    """
    begin = address_of(memory)
    ahead = begin % mmap.PAGESIZE
    refused: int = _advise(begin - ahead, memory.nbytes + ahead, _POPULATE_READ)
    return not refused
