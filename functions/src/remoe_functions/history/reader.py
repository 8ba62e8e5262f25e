"""Reading a history back as the planner's arrays. Files are only read, damage is only reported."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from remoe_functions.history.frames import read_frames
from remoe_functions.history.record import HistoryRecord, RecordError, decode_record
from remoe_functions.history.segment import list_segments, revision_key
from remoe_planner.activation_history import ActivationHistory
from remoe_planner.architecture import Architecture

_log = logging.getLogger(__name__)


def read_history(directory: Path, architecture: Architecture) -> ActivationHistory:
    """Every sound record of this model's revision, oldest first; empty where there are none.

    Records of other revisions or shapes are never read. May run beside a writer.

    Raises:
        OSError: the directory exists and cannot be read.
    """
    records = [
        record
        for record in _records(directory, architecture.revision)
        if record.prefill.shape == architecture.shape and _fits(record, architecture.hidden_size)
    ]
    if not records:
        return ActivationHistory.empty(architecture.shape, architecture.hidden_size)
    unknown = np.zeros(architecture.hidden_size, np.float32)
    return ActivationHistory(
        vectors=np.stack([unknown if r.vector is None else r.vector for r in records]),
        prefill=np.stack([record.prefill for record in records]),
        decode=np.stack([record.decode for record in records]),
        prompt_tokens=np.array([record.prompt_tokens for record in records], np.uint32),
        decode_tokens=np.array([record.decode_tokens for record in records], np.uint32),
    )


def _fits(record: HistoryRecord, hidden_size: int) -> bool:
    return record.vector is None or len(record.vector) == hidden_size


def _records(directory: Path, revision: str) -> Iterator[HistoryRecord]:
    key = revision_key(revision)
    for name in list_segments(directory):
        if name.key == key:
            yield from _records_of(name.in_directory(directory))


def _records_of(path: Path) -> Iterator[HistoryRecord]:
    try:
        found = read_frames(path.read_bytes())
    except FileNotFoundError:  # dropped by the writer since it was listed
        return
    if found.damaged:
        _log.warning("history: %s has %d damaged records; they are skipped", path, found.damaged)
    for payload in found.payloads:
        try:
            yield decode_record(payload)
        except RecordError as error:
            _log.warning("history: %s: %s; the record is skipped", path, error)
