"""Importing transformers without what it brings for training and compiling: half of a cold start.

Nothing here is compiled, and nothing spread over processes; yet transformers and torch mark
functions for torch's compiler, which pulls that compiler and a computer algebra system in, and look
for distributed tensors. Transformers does without these where torch has none, and is told so.
Whatever is asked of the compiler that is more than a mark finds the real one.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

_COMPILER = "torch._dynamo"
_INDEXING = f"{_COMPILER}._trace_wrapped_higher_order_op"
_SYMBOLIC = "torch.fx.experimental.symbolic_shapes"
_NOT_HERE = ("is_torch_distributed_available", "is_torch_flex_attn_available")


def import_transformers() -> None:
    """Import what transformers builds models with; a no-op where it is imported already."""
    if "transformers" in sys.modules:
        return
    flags = importlib.import_module("transformers.utils.import_utils")
    shown = importlib.import_module("transformers.utils")
    for module in (flags, shown):
        for name in _NOT_HERE:
            setattr(module, name, _no)
    flags.define_import_structure = _once(flags.define_import_structure)  # type: ignore[attr-defined]
    with without_compiler():
        importlib.import_module("transformers.modeling_utils")
        importlib.import_module("transformers.masking_utils")


def _once(scan: Callable[..., Any]) -> Callable[..., Any]:
    """Have transformers read its two thousand files for their names once.

    It asks by their folder, and then by a file in it; by the folder it remembers.
    """

    def structure(path: str | Path, prefix: str | None = None) -> Any:  # noqa: ANN401
        return scan(Path(path).parent if Path(path).suffix else path, prefix)

    return structure


@contextmanager
def without_compiler() -> Iterator[None]:
    """Marks for torch's compiler mark nothing, as long as this lasts."""
    importlib.import_module("torch.distributed")  # first: it would keep what it finds
    lent = {
        name: _Lent(name, offers) for name, offers in _OFFERS.items() if name not in sys.modules
    }
    sys.modules.update(lent)
    try:
        yield
    finally:
        _take_back(lent)


class _Lent(ModuleType):
    """Stands where a module will be; what it does not offer itself is the real one's."""

    def __init__(self, name: str, offers: Mapping[str, object]) -> None:
        super().__init__(name)
        self.__path__: list[str] = []
        self.__dict__.update(offers)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        if name.startswith("__"):
            raise AttributeError(name)
        _take_back({self.__name__: self})
        return getattr(importlib.import_module(self.__name__), name)


def _take_back(lent: Mapping[str, ModuleType]) -> None:
    for name, module in lent.items():
        if sys.modules.get(name) is module:
            del sys.modules[name]
        parent, _, last = name.rpartition(".")
        if vars(sys.modules.get(parent, module)).get(last) is module:
            delattr(sys.modules[parent], last)


def _unmarked(function: Callable[..., Any] | None = None, *_: Any, **__: Any) -> Any:  # noqa: ANN401
    """A decorator, with or without arguments, that does nothing."""
    return function if callable(function) else _unmarked


def _get_item_to_index() -> Any:  # noqa: ANN401 (the compiler's own class, at its first use)
    return importlib.import_module(_INDEXING).TransformGetItemToIndex()


def _no() -> bool:
    return False


_OFFERS: dict[str, dict[str, object]] = {
    _COMPILER: dict.fromkeys(("allow_in_graph", "assume_constant_result", "disable"), _unmarked),
    _INDEXING: {"TransformGetItemToIndex": _get_item_to_index},
    # Sizes are plain numbers here: what is true is expected to be.
    _SYMBOLIC: {"expect_true": bool},
}
