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


class DiskFullError(SourceError):
    """There is no room for the files."""
