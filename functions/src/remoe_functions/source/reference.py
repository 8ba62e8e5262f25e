"""`hf://org/name@revision`: the name of a model on a hub."""

from __future__ import annotations

import re
from dataclasses import dataclass

SCHEME = "hf://"
_PART = r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9_])?"
_FORM = re.compile(rf"hf://(?P<repository>{_PART}/{_PART})(?:@(?P<revision>[^\s@]+))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class HubReference:
    """A repository on a hub and the branch, tag or commit wanted; None is the default branch."""

    repository: str
    revision: str | None = None

    @classmethod
    def parse(cls, text: str) -> HubReference:
        """Read `hf://org/name` or `hf://org/name@revision`.

        Raises:
            ValueError: the text is of another form.
        """
        match = _FORM.fullmatch(text)
        if match is None:
            raise ValueError(f"a model on a hub is hf://org/name[@revision], got {text!r}")
        return cls(repository=match["repository"], revision=match["revision"])

    def __str__(self) -> str:
        at = "" if self.revision is None else f"@{self.revision}"
        return f"{SCHEME}{self.repository}{at}"
