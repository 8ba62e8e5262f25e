"""What section 2 keeps between its steps: profile, history, plans, runs and routing."""

from __future__ import annotations

import json
import os
from argparse import Namespace
from pathlib import Path
from typing import Any

from evaluation.measured_plans import slug

DEFAULT = Path(".cache/evaluation")


class Cache:
    """A folder; quick runs have another one, so that nothing of them is taken for real."""

    def __init__(self, options: Namespace) -> None:
        quick = "-quick" if options.quick else ""
        self.folder = (options.cache or DEFAULT) / f"measured{quick}"
        self.folder.mkdir(parents=True, exist_ok=True)
        # Services that are started find the machine's profile below it.
        os.environ["REMOE_HOME"] = str(self.folder.resolve() / "home")

    @property
    def history(self) -> Path:
        return self.folder / "history"

    @property
    def recorded(self) -> Path:
        """There once the history is whole."""
        return self.folder / "recorded"

    @property
    def plans(self) -> Path:
        return self.folder / "plans"

    @property
    def routing(self) -> Path:
        return self.folder / "routing.npz"

    def keep(self, run: dict[str, Any]) -> None:
        """Keep a run under its contender's name."""
        path = self._run(run["name"])
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(run), "utf-8")

    def run(self, name: str) -> dict[str, Any] | None:
        """A contender's run; None where it was not measured."""
        path = self._run(name)
        return json.loads(path.read_text("utf-8")) if path.exists() else None

    def _run(self, name: str) -> Path:
        return self.folder / "runs" / f"{slug(name)}.json"
