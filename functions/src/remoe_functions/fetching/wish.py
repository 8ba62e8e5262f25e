"""Which model is wanted, independent of where it goes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """A model as the user names it.

    Attributes:
        uri: hf://org/name or demo://.
        revision: branch, tag or commit; None for the default branch.
        endpoint: the hub's address; None for the public one.
    """

    uri: str
    revision: str | None = None
    endpoint: str | None = None
