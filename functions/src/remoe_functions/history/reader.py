"""Reading a history back as the planner's arrays. Files are only read, damage is only reported."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from remoe_functions.history.frames import read_frames
from remoe_functions.history.record import HistoryRecord, RecordError, Repeats, decode_payload
from remoe_functions.history.segment import SegmentName, list_segments, revision_key
from remoe_planner.activation_history import ActivationHistory
from remoe_planner.architecture import Architecture

_log = logging.getLogger(__name__)


def read_history(directory: Path, architecture: Architecture) -> ActivationHistory:
    """Every sound record of this model's revision, oldest first; empty where there are none.

    Records of other revisions or shapes are never read. A prompt that came several times is one
    row, at the place of its last record, with the counts of all its times. May run beside a
    writer.

    Raises:
        OSError: the directory exists and cannot be read.
    """
    records, repeats = [], Counter[int]()
    for found in read_records(directory, architecture.revision):
        if isinstance(found, Repeats):
            repeats.update(found.times)
        elif found.prefill.shape == architecture.shape and _fits(found, architecture.hidden_size):
            records.append(found)
    if not records:
        return ActivationHistory.empty(architecture.shape, architecture.hidden_size)
    return _as_arrays(_by_prompt(records), repeats, architecture.hidden_size)


def read_records(directory: Path, revision: str) -> Iterator[HistoryRecord | Repeats]:
    """What one revision's files hold, oldest first, of whatever shape.

    Raises:
        OSError: the directory exists and cannot be read.
    """
    for number, payload in payloads(directory, revision):
        try:
            yield decode_payload(payload)
        except RecordError as error:
            _log.warning("history: segment %d: %s; the record is skipped", number, error)


def payloads(directory: Path, revision: str) -> Iterator[tuple[int, bytes]]:
    """The sound payloads of one revision with the number of their segment, oldest first.

    Raises:
        OSError: the directory exists and cannot be read.
    """
    key = revision_key(revision)
    for name in list_segments(directory):
        if name.key == key:
            yield from ((name.number, payload) for payload in _payloads_of(directory, name))


def _payloads_of(directory: Path, name: SegmentName) -> tuple[bytes, ...]:
    path = name.in_directory(directory)
    try:
        found = read_frames(path.read_bytes())
    except FileNotFoundError:  # dropped by the writer since it was listed
        return ()
    if found.damaged:
        _log.warning("history: %s has %d damaged records; they are skipped", path, found.damaged)
    return found.payloads


def _by_prompt(records: Sequence[HistoryRecord]) -> list[list[HistoryRecord]]:
    """Records of the same prompt together, in the order of each prompt's last."""
    groups: dict[int, list[HistoryRecord]] = {}
    for place, record in enumerate(records):
        key = -1 - place if record.fingerprint is None else record.fingerprint
        groups[key] = [*groups.pop(key, ()), record]
    return list(groups.values())


def _as_arrays(
    prompts: Sequence[Sequence[HistoryRecord]], repeats: Counter[int], hidden_size: int
) -> ActivationHistory:
    last = [records[-1] for records in prompts]
    recorded = np.array([len(records) for records in prompts])
    again = [0 if r.fingerprint is None else repeats[r.fingerprint] for r in last]
    times = recorded + np.array(again)
    unknown = np.zeros(hidden_size, np.float32)

    def scaled(sums: Sequence[NDArray[np.uint64]]) -> NDArray[np.uint32]:
        # What a repeat generated was not recorded; it counts like the times that were.
        total = np.stack(sums)
        share = (times / recorded).reshape(-1, *[1] * (total.ndim - 1))
        return np.asarray(np.minimum(np.rint(total * share), 2**32 - 1), np.uint32)

    def summed(name: str) -> NDArray[np.uint32]:
        return scaled(
            [np.sum([getattr(r, name) for r in rs], axis=0, dtype=np.uint64) for rs in prompts]
        )

    return ActivationHistory(
        vectors=np.stack([unknown if r.vector is None else r.vector for r in last]),
        prefill=summed("prefill"),
        decode=summed("decode"),
        prompt_tokens=summed("prompt_tokens"),
        decode_tokens=summed("decode_tokens"),
        times=times.astype(np.uint32),
    )


def _fits(record: HistoryRecord, hidden_size: int) -> bool:
    return record.vector is None or len(record.vector) == hidden_size
