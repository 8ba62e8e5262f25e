"""What a hub says a repository holds: the files that serving needs, their sizes and digests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeGuard

from huggingface_hub import HfApi, get_session
from huggingface_hub.hf_api import RepoFile, RepoFolder

from remoe_functions.source.access import HubAccess
from remoe_functions.source.errors import SourceIncompleteError, SourceNotFoundError
from remoe_functions.source.hub_errors import translated
from remoe_functions.source.reference import HubReference
from remoe_functions.source.wanted import can_be_served, is_wanted

_SILENCE_SECONDS = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class HubFile:
    """One file of a repository.

    Attributes:
        name: its path in the repository; serving needs none from folders.
        size_bytes: its size.
        sha256: of its contents; None where the hub states none (small files).
    """

    name: str
    size_bytes: int
    sha256: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """The files that serving needs, as they are in one commit."""

    commit: str
    files: tuple[HubFile, ...]

    @property
    def size_bytes(self) -> int:
        return sum(file.size_bytes for file in self.files)

    def file(self, name: str) -> HubFile:
        """The file of that name, which must be there."""
        return next(file for file in self.files if file.name == name)


def list_files(reference: HubReference, access: HubAccess) -> Listing:
    """Ask the hub what there is, before anything is fetched.

    Raises:
        SourceError: the hub does not say, or a model is not served from what it says.
    """
    get_session().timeout = _SILENCE_SECONDS  # the library's own clients wait for ever
    api = HfApi(endpoint=access.endpoint, token=access.token)
    with translated(reference, access):
        info = api.model_info(
            reference.repository, revision=reference.revision, timeout=_SILENCE_SECONDS
        )
        if info.sha is None:
            raise SourceNotFoundError(f"{reference}: {access.address} names no commit")
        tree = api.list_repo_tree(reference.repository, revision=info.sha, recursive=True)
        files = tuple(_file(entry) for entry in tree if _is_wanted(entry))
    if not can_be_served({file.name for file in files}):
        raise SourceIncompleteError.of(reference)
    return Listing(commit=info.sha, files=files)


def _file(entry: RepoFile) -> HubFile:
    sha256 = None if entry.lfs is None else entry.lfs.sha256
    return HubFile(name=entry.path, size_bytes=entry.size, sha256=sha256)


def _is_wanted(entry: RepoFile | RepoFolder) -> TypeGuard[RepoFile]:
    return isinstance(entry, RepoFile) and is_wanted(entry.path)
