"""The hub library's errors as ours, translated once."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus

from httpx2 import ConnectError, ConnectTimeout, HTTPError
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from remoe_functions.source.access import HubAccess
from remoe_functions.source.errors import (
    DiskFullError,
    SourceError,
    SourceGatedError,
    SourceNotFoundError,
    SourceOfflineError,
)
from remoe_functions.source.reference import HubReference

_REFUSING = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
_FAILING = HTTPStatus.INTERNAL_SERVER_ERROR


@contextmanager
def translated(reference: HubReference, access: HubAccess) -> Iterator[None]:
    """Raise `SourceError`, with one line that says what to do, in place of the library's errors."""
    try:
        yield
    except HfHubHTTPError as error:
        raise _of_answer(reference, access, error) from error
    except LocalEntryNotFoundError as error:
        raise SourceOfflineError(
            f"{reference}: {access.address} cannot be reached, and no complete copy is cached"
        ) from error
    except (ConnectError, ConnectTimeout) as error:
        unreachable = f"{reference}: {access.address} cannot be reached ({error})"
        raise SourceOfflineError(unreachable) from error
    except HTTPError as error:
        broken = f"{reference}: the transfer from {access.address} broke off ({error}); try again"
        raise SourceOfflineError(broken) from error
    except OSError as error:
        raise _of_disk(reference, access, error) from error


def _of_answer(reference: HubReference, access: HubAccess, error: HfHubHTTPError) -> SourceError:
    if isinstance(error, GatedRepoError):
        return SourceGatedError(
            f"{reference} is gated: ask for access on {access.address} and {access.advice.token}"
        )
    if isinstance(error, RevisionNotFoundError):
        return SourceNotFoundError(f"{reference}: no such revision on {access.address}")
    if isinstance(error, RepositoryNotFoundError):
        return _not_found(reference, access, error)
    return _of_status(reference, access, error)


def _not_found(reference: HubReference, access: HubAccess, error: HfHubHTTPError) -> SourceError:
    """Hubs say the same of a repository that is not there and of one that is not for you."""
    helps = access.advice.token
    hint = "the token does not open it" if access.token else f"it is private: then {helps}"
    text = f"{reference}: there is no such repository on {access.address}, or {hint}"
    refused = error.response.status_code in _REFUSING
    return SourceGatedError(text) if refused and access.token else SourceNotFoundError(text)


def _of_status(reference: HubReference, access: HubAccess, error: HfHubHTTPError) -> SourceError:
    status, endpoint = error.response.status_code, access.address
    if status in _REFUSING:
        return SourceGatedError(
            f"{reference}: {endpoint} refuses access ({status}); {access.advice.token}"
        )
    failed = f"{reference}: {endpoint} answered {status}; try again later"
    return (
        SourceOfflineError(failed) if status >= _FAILING or status == 429 else SourceError(failed)
    )


def _of_disk(reference: HubReference, access: HubAccess, error: OSError) -> SourceError:
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return DiskFullError(f"{reference}: the disk is full; {access.advice.space}")
    return SourceError(f"{reference}: {error}")
