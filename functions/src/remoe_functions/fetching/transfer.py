"""Bringing files from a hub, each continued where an earlier attempt ended, and verified.

`snapshot_download` gives every attempt new temporary files and leaves those of a killed one behind:
on a volume that has just room for the model, the second attempt would find it full. Its `http_get`
does continue, and is what brings the bytes here.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from huggingface_hub import hf_hub_url
from huggingface_hub.file_download import http_get

from remoe_functions.fetching.errors import FetchError, Reason
from remoe_functions.source.access import HubAccess
from remoe_functions.source.hub_errors import translated
from remoe_functions.source.listing import HubFile, Listing
from remoe_functions.source.reference import HubReference

_CONNECTIONS = 4
_PARTIAL = ".partial"


class Transfer:
    """Files of one commit on their way into a folder."""

    def __init__(
        self, reference: HubReference, listing: Listing, access: HubAccess, folder: Path
    ) -> None:
        self._reference = reference
        self._listing = listing
        self._access = access
        self._folder = folder

    @property
    def missing_bytes(self) -> int:
        """What is still to come."""
        return sum(file.size_bytes - self._bytes_there(file) for file in self._listing.files)

    def bring(self, files: Sequence[HubFile]) -> None:
        """Bring these files as far as they are not there.

        Raises:
            SourceError: the hub refuses, cannot be reached, or the disk is full.
            FetchError: what came is not what the hub announced; the next attempt starts anew.
        """
        pool = ThreadPoolExecutor(_CONNECTIONS, thread_name_prefix="transfer")
        try:
            for done in [pool.submit(self._bring, file) for file in files]:
                done.result()
        finally:
            pool.shutdown(cancel_futures=True)

    def _bring(self, file: HubFile) -> None:
        whole, partial = self._folder / file.name, self._partial(file)
        if whole.exists():
            return
        with translated(self._reference, self._access):
            if not partial.exists() or partial.stat().st_size != file.size_bytes:
                self._receive(file, partial)
            _verify(partial, file)
            partial.rename(whole)

    def _receive(self, file: HubFile, partial: Path) -> None:
        if self._bytes_there(file) > file.size_bytes:
            partial.unlink()
        partial.touch()
        with partial.open("r+b") as target:
            http_get(
                self._url(file),
                target,
                resume_size=target.seek(0, os.SEEK_END),
                headers=self._headers(),
                expected_size=file.size_bytes,
            )

    def _headers(self) -> dict[str, str]:
        token = self._access.token
        return {} if token is None else {"authorization": f"Bearer {token}"}

    def _url(self, file: HubFile) -> str:
        commit, endpoint = self._listing.commit, self._access.endpoint
        return hf_hub_url(self._reference.repository, file.name, revision=commit, endpoint=endpoint)

    def _bytes_there(self, file: HubFile) -> int:
        for path in (self._folder / file.name, self._partial(file)):
            if path.exists():
                return path.stat().st_size
        return 0

    def _partial(self, file: HubFile) -> Path:
        return self._folder / f"{file.name}{_PARTIAL}"


def _verify(path: Path, file: HubFile) -> None:
    """Keep nothing that the hub did not announce."""
    found = path.stat().st_size
    trouble = None
    if found != file.size_bytes:
        trouble = f"{found} bytes came, {file.size_bytes} were announced"
    elif file.sha256 is not None and _sha256(path) != file.sha256:
        trouble = "its sha256 is not the announced one"
    if trouble is not None:
        path.unlink()
        raise FetchError(Reason.TRANSFER_DAMAGED, f"{file.name}: {trouble}; it is fetched anew")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
