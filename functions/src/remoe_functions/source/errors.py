"""Why a model could not be had.

SourceError                 the message is one line that says what to do
├── SourceNotFoundError     no such folder, repository or revision
├── SourceGatedError        the hub wants a token, or another one
├── SourceOfflineError      the hub cannot be reached and nothing complete is cached
├── SourceIncompleteError   the repository has not the files that serving needs
└── DiskFullError           there is no room for the files
"""

from __future__ import annotations


class SourceError(Exception):
    """A model could not be had."""


class SourceNotFoundError(SourceError):
    """No such folder, repository or revision."""


class SourceGatedError(SourceError):
    """The hub wants a token, or another one."""


class SourceOfflineError(SourceError):
    """The hub cannot be reached, and nothing complete is cached."""


class SourceIncompleteError(SourceError):
    """The repository does not have the files that serving needs."""

    @classmethod
    def of(cls, reference: object) -> SourceIncompleteError:
        return cls(
            f"{reference} has no config.json or no safetensors; other formats are not served"
        )


class DiskFullError(SourceError):
    """There is no room for the files."""

    @classmethod
    def before(cls, what: str, needed_bytes: int, free_bytes: int, advice: str) -> DiskFullError:
        """It can be told before the first byte."""
        return cls(f"{what} needs {_size(needed_bytes)} and {_size(free_bytes)} are free; {advice}")


def _size(size_bytes: int) -> str:
    return f"{size_bytes / 1e6:.0f} MB" if size_bytes < 1e9 else f"{size_bytes / 1e9:.1f} GB"
