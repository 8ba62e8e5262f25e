"""The committed half of the demo model: routers, and what each expert adds to the dense FFN.

An expert's matrix is W + out @ in, out and in of a small rank. The sum is taken rank by rank,
elementwise, in float32: a matrix product would round differently on every BLAS.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from safetensors import deserialize

from remoe_functions.demo_model.dense import Float32

Bfloat16: TypeAlias = np.ndarray[Any, np.dtype[np.uint16]]
"""bfloat16 by its bits, as NumPy has no such type."""

PROJECTIONS = {"w1": "gate_proj", "w2": "down_proj", "w3": "up_proj"}
"""Mixtral's name of each expert matrix, and llama's."""


def widen(values: Bfloat16) -> Float32:
    """bfloat16 to float32, exact."""
    return (values.astype(np.uint32) << np.uint32(16)).view(np.float32)


def narrow(values: Float32) -> Bfloat16:
    """float32 to bfloat16, to nearest, ties to even. Weights are finite, so no NaN is met."""
    bits = np.ascontiguousarray(values).view(np.uint32)
    carry = (bits >> np.uint32(16)) & np.uint32(1)
    carry += np.uint32(0x7FFF)
    carry += bits
    carry >>= np.uint32(16)
    return carry.astype(np.uint16)


def specialize(dense: Float32, out: Bfloat16, into: Bfloat16) -> Bfloat16:
    """One expert matrix: dense [rows, columns] + out [rows, rank] @ into [rank, columns]."""
    total = dense.copy()
    product = np.empty_like(dense)
    for column, row in zip(widen(out).T, widen(into), strict=True):
        np.multiply(column[:, None], row[None, :], out=product)
        total += product
    return narrow(total)


def gate_name(layer: int) -> str:
    """The checkpoint's name of a layer's router, here and in the assembled model."""
    return f"model.layers.{layer}.block_sparse_moe.gate.weight"


def delta_name(layer: int, projection: str, side: str) -> str:
    """Side is out or in; the tensor stacks the layer's experts first."""
    return f"model.layers.{layer}.block_sparse_moe.experts.{projection}.{side}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Upcycle:
    """Routers and deltas of all layers, with the digest of the file they came from."""

    sha256: str
    tensors: dict[str, Bfloat16]

    @classmethod
    def read(cls, path: Path) -> "Upcycle":
        data = path.read_bytes()
        entries = deserialize(data)  # type: ignore[no-untyped-call]
        tensors = {name: _array(entry) for name, entry in entries}
        return cls(sha256=hashlib.sha256(data).hexdigest(), tensors=tensors)

    @property
    def experts(self) -> int:
        return int(self.gate(0).shape[0])

    def gate(self, layer: int) -> Bfloat16:
        return self.tensors[gate_name(layer)]

    def expert(self, layer: int, index: int, projection: str, dense: Float32) -> Bfloat16:
        """One expert's matrix, the layer's dense one given."""
        out = self.tensors[delta_name(layer, projection, "out")][index]
        into = self.tensors[delta_name(layer, projection, "in")][index]
        return specialize(dense, out, into)


def _array(entry: dict[str, Any]) -> Bfloat16:
    if entry["dtype"] != "BF16":
        raise ValueError(f"routers and deltas are bfloat16, got {entry['dtype']}")
    return np.frombuffer(entry["data"], dtype="<u2").reshape(entry["shape"])
