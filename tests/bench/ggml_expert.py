"""ggml's expert product as a rival of the benches: down(silu(gate x) * (up x)), in ggml's types.

Spoken to with ctypes: libggml-base.so and libggml-cpu.so of a llama.cpp build lie in one folder
(`cmake -DBUILD_SHARED_LIBS=ON -DGGML_NATIVE=ON`, target ggml-cpu). Weights are a file's mapped
pages, as ours are: plain ones are what a GGUF file has; repacked ones, which llama.cpp makes when
it loads a model and keeps in memory of its own, are put into such pages here, too, so that both
read the same kind of memory. One graph an expert is made before the clock starts; a call runs it
in a thread pool that stays, with the same work and intermediate memory for all experts.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from ctypes import POINTER, Structure, c_bool, c_char, c_int, c_int32, c_int64, c_size_t, c_void_p
from enum import IntEnum
from pathlib import Path

import numpy as np

GRAPH_NODES = 16
CONTEXT_BYTES = 1 << 16


class Type(IntEnum):
    """`ggml_type`, those which have an equal among our formats."""

    F32 = 0
    Q4_0 = 2
    Q8_0 = 8
    BF16 = 30


class _Tensor(Structure):
    _fields_ = [
        ("type", c_int),
        ("buffer", c_void_p),
        ("ne", c_int64 * 4),
        ("nb", c_size_t * 4),
        ("op", c_int),
        ("op_params", c_int32 * 16),
        ("flags", c_int32),
        ("src", c_void_p * 10),
        ("view_src", c_void_p),
        ("view_offs", c_size_t),
        ("data", c_void_p),
        ("name", c_char * 64),
        ("extra", c_void_p),
        ("padding", c_char * 8),
    ]


class _InitParams(Structure):
    _fields_ = [("mem_size", c_size_t), ("mem_buffer", c_void_p), ("no_alloc", c_bool)]


class _PoolParams(Structure):
    _fields_ = [
        ("cpumask", c_bool * 512),
        ("n_threads", c_int),
        ("prio", c_int),
        ("poll", ctypes.c_uint32),
        ("strict_cpu", c_bool),
        ("paused", c_bool),
    ]


_TensorAt = POINTER(_Tensor)
_BASE = {  # name: (result, arguments)
    "ggml_init": (c_void_p, [_InitParams]),
    "ggml_free": (None, [c_void_p]),
    "ggml_get_data": (c_void_p, [_TensorAt]),
    "ggml_nbytes": (c_size_t, [_TensorAt]),
    "ggml_row_size": (c_size_t, [c_int, c_int64]),
    "ggml_new_tensor_2d": (_TensorAt, [c_void_p, c_int, c_int64, c_int64]),
    "ggml_mul_mat": (_TensorAt, [c_void_p, _TensorAt, _TensorAt]),
    "ggml_swiglu_split": (_TensorAt, [c_void_p, _TensorAt, _TensorAt]),
    "ggml_new_graph_custom": (c_void_p, [c_void_p, c_size_t, c_bool]),
    "ggml_build_forward_expand": (None, [c_void_p, _TensorAt]),
    "ggml_quantize_chunk": (
        c_size_t,
        [c_int, c_void_p, c_void_p, c_int64, c_int64, c_int64, c_void_p],
    ),
    "ggml_threadpool_params_init": (None, [POINTER(_PoolParams), c_int]),
    "ggml_backend_alloc_ctx_tensors_from_buft": (c_void_p, [c_void_p, c_void_p]),
    "ggml_backend_buffer_free": (None, [c_void_p]),
    "ggml_backend_buft_get_device": (c_void_p, [c_void_p]),
    "ggml_backend_dev_supports_op": (c_bool, [c_void_p, _TensorAt]),
    "ggml_backend_cpu_buffer_type": (c_void_p, []),
    "ggml_backend_cpu_buffer_from_ptr": (c_void_p, [c_void_p, c_size_t]),
    "ggml_backend_tensor_set": (None, [_TensorAt, c_void_p, c_size_t, c_size_t]),
    "ggml_backend_graph_compute": (c_int, [c_void_p, c_void_p]),
    "ggml_gallocr_new": (c_void_p, [c_void_p]),
    "ggml_gallocr_free": (None, [c_void_p]),
    "ggml_gallocr_alloc_graph": (c_bool, [c_void_p, c_void_p]),
}
_CPU = {
    "ggml_backend_cpu_init": (c_void_p, []),
    "ggml_backend_cpu_set_n_threads": (None, [c_void_p, c_int]),
    "ggml_backend_cpu_set_threadpool": (None, [c_void_p, c_void_p]),
    "ggml_threadpool_new": (c_void_p, [POINTER(_PoolParams)]),
}
_REPACK = "_Z35ggml_backend_cpu_repack_buffer_typev"  # C++; where it is built in


class Ggml:
    """The libraries, and a backend with a thread pool of its own."""

    def __init__(self, folder: Path, threads: int) -> None:
        self.base = ctypes.CDLL(str(folder / "libggml-base.so"), ctypes.RTLD_GLOBAL)
        self.cpu = ctypes.CDLL(str(folder / "libggml-cpu.so"), ctypes.RTLD_GLOBAL)
        for loaded, declared in ((self.base, _BASE), (self.cpu, _CPU)):
            for name, (result, arguments) in declared.items():
                function = getattr(loaded, name)
                function.restype, function.argtypes = result, arguments
        self.backend = self.cpu.ggml_backend_cpu_init()
        params = _PoolParams()
        self.base.ggml_threadpool_params_init(ctypes.byref(params), threads)
        pool = self.cpu.ggml_threadpool_new(ctypes.byref(params))
        self.cpu.ggml_backend_cpu_set_n_threads(self.backend, threads)
        self.cpu.ggml_backend_cpu_set_threadpool(self.backend, pool)

    def context(self) -> int:
        return self.base.ggml_init(_InitParams(CONTEXT_BYTES, None, True))

    def quantized(self, weights: np.ndarray, kind: Type) -> np.ndarray:
        """Float32 [out, in] in a type of ggml's, rounded by ggml; its bytes."""
        height, width = weights.shape
        rows = np.ascontiguousarray(weights, np.float32)
        made = np.empty((height, self.base.ggml_row_size(kind, width)), np.uint8)
        self.base.ggml_quantize_chunk(kind, rows.ctypes.data, made.ctypes.data, 0, height, width, 0)
        return made

    def packed(self, matrix: np.ndarray, kind: Type, width: int) -> Packed | None:
        """As llama.cpp packs it at load, or None where it has nothing better for this type here."""
        if not hasattr(self.cpu, _REPACK):
            return None
        kind_of_buffer = getattr(self.cpu, _REPACK)
        kind_of_buffer.restype = c_void_p
        buffer_type, context = kind_of_buffer(), self.context()
        tensor = self.base.ggml_new_tensor_2d(context, kind, width, len(matrix))
        x = self.base.ggml_new_tensor_2d(context, Type.F32, width, 1)
        product = self.base.ggml_mul_mat(context, tensor, x)
        buffer = self.base.ggml_backend_alloc_ctx_tensors_from_buft(context, buffer_type)
        x.contents.buffer = None
        device = self.base.ggml_backend_buft_get_device(buffer_type)
        if not self.base.ggml_backend_dev_supports_op(device, product):
            return None
        self.base.ggml_backend_tensor_set(tensor, matrix.ctypes.data, 0, matrix.nbytes)
        data = self.base.ggml_get_data(tensor)
        made = np.ctypeslib.as_array((ctypes.c_uint8 * matrix.nbytes).from_address(data))
        return Packed(made.reshape(matrix.shape).copy(), buffer, tensor.contents.extra)


class Packed:
    """Bytes in ggml's own order, with what a tensor of them has to say."""

    def __init__(self, data: np.ndarray, buffer: int, extra: int) -> None:
        self.data, self.buffer, self.extra = data, buffer, extra


class GgmlExpert:
    """An expert's gate, up and down, [out, in] each, where they lie."""

    def __init__(
        self, ggml: Ggml, kind: Type, matrices: Sequence[np.ndarray], packed: Sequence[Packed] = ()
    ) -> None:
        """`matrices` are bytes or numbers in rows; `packed` says how, where they are repacked."""
        self.ggml, self.context, self._kept = ggml, ggml.context(), [*matrices, *packed]
        hidden, middle = len(matrices[2]), len(matrices[0])
        self.tensors = [
            ggml.base.ggml_new_tensor_2d(self.context, kind, width, len(matrix))
            for matrix, width in zip(matrices, (hidden, hidden, middle), strict=True)
        ]
        for index, (tensor, matrix) in enumerate(zip(self.tensors, matrices, strict=True)):
            size = ggml.base.ggml_nbytes(tensor)
            if size != matrix.nbytes:
                raise ValueError(f"matrix {index} must have {size} bytes, got {matrix.nbytes}")
            address = matrix.__array_interface__["data"][0]
            tensor.contents.data = address
            if packed:
                tensor.contents.buffer = packed[index].buffer
                tensor.contents.extra = packed[index].extra
            else:
                tensor.contents.buffer = ggml.base.ggml_backend_cpu_buffer_from_ptr(address, size)
            if ggml.base.ggml_get_data(tensor) != address:
                raise RuntimeError("this build's ggml_tensor is of another form than this file's")
        self.hidden = hidden

    def graph(self, x: ctypes._Pointer) -> tuple[int, ctypes._Pointer]:
        """The expert's product of rows, and where its answer will be."""
        base, context = self.ggml.base, self.context
        gate, up, down = self.tensors
        middle = base.ggml_swiglu_split(
            context, base.ggml_mul_mat(context, gate, x), base.ggml_mul_mat(context, up, x)
        )
        answer = base.ggml_mul_mat(context, down, middle)
        graph = base.ggml_new_graph_custom(context, GRAPH_NODES, False)
        base.ggml_build_forward_expand(graph, answer)
        return graph, answer


class GgmlRun:
    """Experts that compute the same float32 rows [rows, hidden]."""

    def __init__(self, ggml: Ggml, experts: Sequence[GgmlExpert], rows: np.ndarray) -> None:
        base = self.base = ggml.base
        self.ggml, self.experts, self.shape = ggml, experts, rows.shape
        context = ggml.context()
        x = base.ggml_new_tensor_2d(context, Type.F32, rows.shape[1], rows.shape[0])
        kind = base.ggml_backend_cpu_buffer_type()
        self._x = base.ggml_backend_alloc_ctx_tensors_from_buft(context, kind)
        rows = np.ascontiguousarray(rows, np.float32)
        base.ggml_backend_tensor_set(x, rows.ctypes.data, 0, rows.nbytes)
        self._memory = base.ggml_gallocr_new(kind)
        self.graphs = [expert.graph(x) for expert in experts]
        for graph, _ in self.graphs:
            if not base.ggml_gallocr_alloc_graph(self._memory, graph):
                raise MemoryError("no memory for ggml's graph")

    def __call__(self, index: int) -> None:
        if status := self.base.ggml_backend_graph_compute(self.ggml.backend, self.graphs[index][0]):
            raise RuntimeError(f"ggml: status {status}")

    def answer(self) -> np.ndarray:
        """What the last call computed; all answers lie in the same place."""
        data = self.base.ggml_get_data(self.graphs[0][1])
        count = self.shape[0] * self.shape[1]
        values = np.ctypeslib.as_array((ctypes.c_float * count).from_address(data))
        return values.reshape(self.shape).copy()

    def close(self) -> None:
        self.base.ggml_gallocr_free(self._memory)
        self.base.ggml_backend_buffer_free(self._x)


def experts_of(
    ggml: Ggml,
    kind: Type,
    matrices: Sequence[np.ndarray],
    count: int,
    mapped: Callable[[np.ndarray], np.ndarray],
    *,
    repacked: bool,
) -> list[GgmlExpert] | None:
    """Equal experts of float32 weights, each in pages of its own; None where none repacks."""
    made = [ggml.quantized(matrix, kind) for matrix in matrices]
    if not repacked:
        return [GgmlExpert(ggml, kind, [mapped(each) for each in made]) for _ in range(count)]
    widths = [matrix.shape[1] for matrix in matrices]
    packed = [ggml.packed(each, kind, width) for each, width in zip(made, widths, strict=True)]
    if not all(packed):
        return None
    return [
        GgmlExpert(ggml, kind, [mapped(each.data) for each in packed], packed) for _ in range(count)
    ]
