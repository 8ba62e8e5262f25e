"""Where the command keeps what it makes: the demo model, recorded histories.

`REMOE_HOME` if set, else a `remoe` folder in the user's cache.
"""

from __future__ import annotations

import os
from pathlib import Path

from remoe_functions.source.source import Source


def home() -> Path:
    """The folder for everything below."""
    if chosen := os.environ.get("REMOE_HOME"):
        return Path(chosen).expanduser().absolute()
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(cache).expanduser().absolute() / "remoe"


def demo_model_directory() -> Path:
    """Where the demo model goes unless a folder is named."""
    return home() / "demo-model"


def history_directory(source: Source) -> Path:
    """The history of a model, apart from that of every other one."""
    return home() / "history" / source.key


def profile_file(source: Source) -> Path:
    """The hardware profile of a model on this machine, as `remoe profile` leaves it."""
    return home() / "profile" / f"{source.key}.json"
