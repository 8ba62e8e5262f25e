"""Where the parts of a service keep Python's compiled modules, if nobody else does.

Some environments forbid Python to keep them (PYTHONDONTWRITEBYTECODE), and some installers do not
make them. Then every start compiles what it imports anew: that makes three of an expert function's
start (measured), and adds seconds to the main model's.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import cache_from_source, find_spec
from pathlib import Path

from remoe_functions.cli.places import home

FORBIDS, PLACE = "PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX"
_SAMPLES = ("numpy", "remoe_functions")


def with_compiled_modules(environment: Mapping[str, str]) -> Mapping[str, str]:
    """An environment in which Python finds or keeps compiled modules; changed only if it must be.

    Args:
        environment: the variables that the parts are to inherit.
    """
    if not environment.get(FORBIDS) or environment.get(PLACE) or all(map(_is_compiled, _SAMPLES)):
        return environment
    kept = {name: value for name, value in environment.items() if name != FORBIDS}
    return kept | {PLACE: str(home() / "compiled")}


def _is_compiled(package: str) -> bool:
    """Whether a package came with compiled modules."""
    spec = find_spec(package)
    origin = None if spec is None else spec.origin
    return origin is not None and Path(cache_from_source(origin)).exists()
