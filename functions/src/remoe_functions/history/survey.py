"""What a history's folder holds, over all revisions: sizes and ages, not what follows from them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from remoe_functions.history.reader import read_records
from remoe_functions.history.record import HistoryRecord
from remoe_functions.history.segment import list_segments, revision_key


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """A folder's segments.

    Attributes:
        bytes_by_revision: of each revision's segments, by the key in their names.
        present: the key of the revision asked about.
        oldest: when the first record was made, in seconds since the epoch; None where unknown.
        newest: when the last was.
        other_shapes: records of the revision that fit no model of this shape.
    """

    bytes_by_revision: dict[str, int]
    present: str
    oldest: float | None
    newest: float | None
    other_shapes: int


def survey(directory: Path, revision: str, shape: tuple[int, int]) -> Survey:
    """Look through a folder; an empty survey where it is missing.

    Raises:
        OSError: it cannot be read.
    """
    sizes: dict[str, int] = {}
    for name in list_segments(directory):
        path = name.in_directory(directory)
        sizes[name.key] = sizes.get(name.key, 0) + (path.stat().st_size if path.exists() else 0)
    records = [r for r in read_records(directory, revision) if isinstance(r, HistoryRecord)]
    times = [record.recorded_at for record in records if record.recorded_at is not None]
    return Survey(
        bytes_by_revision=sizes,
        present=revision_key(revision),
        oldest=min(times, default=None),
        newest=max(times, default=None),
        other_shapes=sum(record.prefill.shape != shape for record in records),
    )
