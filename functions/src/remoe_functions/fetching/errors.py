"""Why a model could not be brought, as one word for programs and one sentence for people."""

from __future__ import annotations

import errno
from enum import StrEnum

from remoe_functions.checkpoint.errors import CheckpointError, UnsupportedModelError
from remoe_functions.demo_model.assemble import AssemblyError
from remoe_functions.source.errors import (
    DiskFullError,
    SourceError,
    SourceGatedError,
    SourceIncompleteError,
    SourceNotFoundError,
    SourceOfflineError,
)

AGAIN, NEVER = 1, 2


class Reason(StrEnum):
    """Why, in one CamelCase word."""

    INVALID_URI = "InvalidUri"
    MODEL_NOT_FOUND = "ModelNotFound"
    ACCESS_DENIED = "AccessDenied"
    HUB_UNREACHABLE = "HubUnreachable"
    DISK_FULL = "DiskFull"
    VOLUME_NOT_WRITABLE = "VolumeNotWritable"
    VOLUME_BUSY = "VolumeBusy"
    MODEL_INCOMPLETE = "ModelIncomplete"
    TRANSFER_DAMAGED = "TransferDamaged"
    UNSUPPORTED_MODEL = "UnsupportedModel"
    INTERRUPTED = "Interrupted"
    FETCH_FAILED = "FetchFailed"

    @property
    def exit_status(self) -> int:
        """1 where the same attempt may go well later, 2 where somebody must act first."""
        return AGAIN if self in _PASSING else NEVER


_PASSING = {
    Reason.HUB_UNREACHABLE,
    Reason.VOLUME_BUSY,
    Reason.TRANSFER_DAMAGED,
    Reason.INTERRUPTED,
    Reason.FETCH_FAILED,
}
_KINDS: tuple[tuple[type[Exception], Reason], ...] = (
    (SourceNotFoundError, Reason.MODEL_NOT_FOUND),
    (SourceGatedError, Reason.ACCESS_DENIED),
    (SourceOfflineError, Reason.HUB_UNREACHABLE),
    (SourceIncompleteError, Reason.MODEL_INCOMPLETE),
    (DiskFullError, Reason.DISK_FULL),
    (SourceError, Reason.FETCH_FAILED),
    (UnsupportedModelError, Reason.UNSUPPORTED_MODEL),
    (CheckpointError, Reason.MODEL_INCOMPLETE),
)
_ERRNOS = {
    errno.ENOSPC: (Reason.DISK_FULL, "the volume is full"),
    errno.EDQUOT: (Reason.DISK_FULL, "the volume's quota is used up"),
    errno.EACCES: (Reason.VOLUME_NOT_WRITABLE, "the volume is not writable"),
    errno.EPERM: (Reason.VOLUME_NOT_WRITABLE, "the volume is not writable"),
    errno.EROFS: (Reason.VOLUME_NOT_WRITABLE, "the volume is read-only"),
}


class FetchError(Exception):
    """The model could not be brought.

    Attributes:
        reason: why, for programs.
    """

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason

    @classmethod
    def of(cls, error: Exception) -> FetchError:
        """Any error met on the way, as one of ours."""
        if isinstance(error, FetchError):
            return error
        cause = error.__cause__
        if isinstance(error, AssemblyError | SourceError) and isinstance(cause, OSError):
            reason = _ERRNOS.get(cause.errno or 0, (_reason(error), ""))[0]
            return cls(reason, str(error))
        if isinstance(error, OSError) and error.errno in _ERRNOS:
            reason, words = _ERRNOS[error.errno]
            return cls(reason, f"{words}: {error}")
        return cls(_reason(error), str(error) or type(error).__name__)


def _reason(error: Exception) -> Reason:
    found = (reason for kind, reason in _KINDS if isinstance(error, kind))
    return next(found, Reason.FETCH_FAILED)
