"""Mapped checkpoint tensors and wire rows as torch tensors, on the same bytes where possible."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from remoe_functions.checkpoint.tensors import Dtype, MappedTensor

_TORCH: dict[Dtype, torch.dtype] = {
    Dtype.FLOAT32: torch.float32,
    Dtype.FLOAT16: torch.float16,
    Dtype.BFLOAT16: torch.bfloat16,
    Dtype.FLOAT64: torch.float64,
    Dtype.INT64: torch.int64,
    Dtype.INT32: torch.int32,
    Dtype.INT16: torch.int16,
    Dtype.INT8: torch.int8,
    Dtype.UINT8: torch.uint8,
    Dtype.BOOL: torch.bool,
}


def _hush_read_only() -> None:
    """Spend torch's one warning that a tensor on a read-only array must not be written.

    Torch gives it once per process. The tensors made here are weights and answers; nothing
    writes to them.
    """
    frozen = np.zeros(1, dtype=np.float32)
    frozen.flags.writeable = False
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.from_numpy(frozen)


_hush_read_only()


def torch_dtype(dtype: Dtype) -> torch.dtype:
    """Torch's name for an element type.

    Raises:
        ValueError: torch's layers cannot compute with it.
    """
    if dtype not in _TORCH:
        raise ValueError(f"tensors of type {dtype} cannot be served")
    return _TORCH[dtype]


def from_mapped(tensor: MappedTensor) -> torch.Tensor:
    """A tensor on the mapped bytes, nothing copied."""
    dtype = torch_dtype(tensor.dtype)
    flat = torch.from_numpy(tensor.array)
    return flat if flat.dtype == dtype else flat.view(dtype)


def to_rows(tensor: torch.Tensor) -> NDArray[Any]:
    """A CPU tensor as an array on the same bytes; bfloat16 as its bits in uint16."""
    if tensor.dtype == torch.bfloat16:
        return tensor.view(torch.uint16).numpy()
    return tensor.numpy()


def from_rows(rows: NDArray[Any]) -> torch.Tensor:
    """The inverse of `to_rows`."""
    tensor = torch.from_numpy(rows)
    return tensor.view(torch.bfloat16) if rows.dtype == np.uint16 else tensor
