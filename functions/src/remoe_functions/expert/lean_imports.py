"""Modules that others import and hardly ever use: loaded when somebody looks into them, if ever.

`dataclasses` wants `inspect` for classes without a docstring, and that wants Python's parser and
disassembler: a tenth of the processor's time in a start. (`importlib.util.LazyLoader` loads what
it puts off as soon as a second module imports it.)
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

_HARDLY_USED = ("inspect",)


def put_off() -> None:
    """From here on, have such a module loaded at its first use; what is loaded stays."""
    for name in _HARDLY_USED:
        sys.modules.setdefault(name, _PutOff(name))


class _PutOff(ModuleType):
    """Stands where a module will be."""

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        if name.startswith("__"):
            raise AttributeError(name)
        from importlib import import_module

        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return getattr(import_module(self.__name__), name)
