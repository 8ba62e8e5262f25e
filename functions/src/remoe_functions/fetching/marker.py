"""The file beside a fetched model that says what it is. A folder without one is not a model.

It is written last, so that whatever ended a fetch before its end left none.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from remoe_functions.fetching.wish import Wish

FILE = ".remoe-fetched.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Marker:
    """What was fetched.

    Attributes:
        wish: what was asked for.
        revision: the commit that it was.
        files: size in bytes of each file, by name.
    """

    wish: Wish
    revision: str
    files: Mapping[str, int]

    @property
    def size_bytes(self) -> int:
        return sum(self.files.values())

    @classmethod
    def of_folder(cls, wish: Wish, revision: str, folder: Path) -> Marker:
        """Of the files that a folder holds now."""
        files = {path.name: path.stat().st_size for path in folder.iterdir() if path.is_file()}
        return cls(wish=wish, revision=revision, files=files)

    @classmethod
    def read(cls, folder: Path) -> Marker | None:
        """The folder's marker; None where it has none, or none that can be read."""
        try:
            body = json.loads((folder / FILE).read_bytes())
            return cls(
                wish=Wish(**body["wish"]), revision=body["revision"], files=dict(body["files"])
            )
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def write(self, folder: Path) -> None:
        body = {"wish": asdict(self.wish), "revision": self.revision, "files": dict(self.files)}
        (folder / FILE).write_text(json.dumps(body, indent=1) + "\n", "utf-8")

    def answers(self, wish: Wish) -> bool:
        """Whether this is the model wanted. A branch that has moved on since is not followed."""
        same_place = (self.wish.uri, self.wish.endpoint) == (wish.uri, wish.endpoint)
        return same_place and wish.revision in (self.wish.revision, self.revision)

    def is_true_of(self, folder: Path) -> bool:
        """Whether every file is there in its size."""
        try:
            return all((folder / name).stat().st_size == size for name, size in self.files.items())
        except OSError:
            return False
