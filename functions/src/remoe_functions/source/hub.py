"""Getting a model from a hub, through huggingface_hub: its cache, its resuming, its progress bars.

Only what serving needs is fetched: configuration, tokenizer, chat template and the safetensors of
the top folder.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import cast

from httpx2 import HTTPError
from huggingface_hub import constants, snapshot_download
from huggingface_hub.errors import (
    DryRunError,
    GatedRepoError,
    HfHubHTTPError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.file_download import DryRunFileInfo

from remoe_functions.source.errors import (
    DiskFullError,
    SourceError,
    SourceGatedError,
    SourceIncompleteError,
    SourceNotFoundError,
    SourceOfflineError,
)
from remoe_functions.source.reference import HubReference

WANTED = (
    "config.json",
    "generation_config.json",
    "tokenizer*",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.*",
    "merges.txt",
    "chat_template*",
    "model*.safetensors",
    "model.safetensors.index.json",
)
UNWANTED = ("*/*",)  # original/, metal/, onnx/: the same weights in other forms


@dataclass(frozen=True, slots=True, kw_only=True)
class HubAccess:
    """How the hub is reached; by default as the environment says.

    Attributes:
        endpoint: the hub's address ($HF_ENDPOINT).
        token: what opens gated repositories ($HF_TOKEN); never printed.
        cache: where files are kept; huggingface_hub's own place by default ($HF_HOME).
    """

    endpoint: str | None = None
    token: str | None = field(default=None, repr=False)
    cache: Path | None = None

    @classmethod
    def from_environment(cls) -> HubAccess:
        return cls(
            endpoint=os.environ.get("HF_ENDPOINT") or None,
            token=os.environ.get("HF_TOKEN") or None,
        )


def download(reference: HubReference, access: HubAccess) -> Path:
    """The folder that holds the model, fetched as far as it is not there; resumes what broke off.

    Without a network, a complete copy that was fetched before is served.

    Raises:
        SourceError: the one of its kinds that says why, in one line.
    """
    fetch = partial(
        snapshot_download,
        reference.repository,
        revision=reference.revision,
        endpoint=access.endpoint,
        token=access.token,
        cache_dir=access.cache,
        allow_patterns=list(WANTED),
        ignore_patterns=list(UNWANTED),
    )
    with _translated(reference, access):
        with suppress(DryRunError):  # the hub cannot be reached; perhaps everything is cached
            _check(reference, access, cast("list[DryRunFileInfo]", fetch(dry_run=True)))
        return Path(fetch())


def _check(reference: HubReference, access: HubAccess, files: Sequence[DryRunFileInfo]) -> None:
    """Refuse before the first byte what cannot end well."""
    names = {file.filename for file in files}
    if "config.json" not in names or not any(n.endswith(".safetensors") for n in names):
        raise SourceIncompleteError(
            f"{reference} has no config.json or no safetensors; other formats are not served"
        )
    needed = sum(file.file_size or 0 for file in files if file.will_download)
    free = shutil.disk_usage(_existing(access.cache or Path(constants.HF_HUB_CACHE))).free
    if needed > free:
        raise DiskFullError(
            f"{reference} needs {needed / 1e9:.1f} GB and {free / 1e9:.1f} GB are free; "
            "set HF_HOME to a larger disk"
        )


def _existing(folder: Path) -> Path:
    return folder if folder.exists() else _existing(folder.absolute().parent)


@contextmanager
def _translated(reference: HubReference, access: HubAccess) -> Iterator[None]:
    """The library's errors as ours."""
    endpoint = access.endpoint or constants.ENDPOINT
    try:
        yield
    except GatedRepoError as error:
        raise SourceGatedError(
            f"{reference} is gated: ask for access on {endpoint} and set HF_TOKEN"
        ) from error
    except RevisionNotFoundError as error:
        raise SourceNotFoundError(f"{reference}: no such revision on {endpoint}") from error
    except RepositoryNotFoundError as error:
        raise SourceNotFoundError(_not_found(reference, access, endpoint)) from error
    except LocalEntryNotFoundError as error:
        raise SourceOfflineError(
            f"{reference}: {endpoint} cannot be reached, and no complete copy is cached"
        ) from error
    except HfHubHTTPError as error:
        raise _of_status(reference, endpoint, error) from error
    except HTTPError as error:
        broken = f"{reference}: the transfer from {endpoint} broke off ({error}); try again"
        raise SourceOfflineError(broken) from error
    except OSError as error:
        raise _of_disk(reference, error) from error


def _not_found(reference: HubReference, access: HubAccess, endpoint: str) -> str:
    hint = "the token does not open it" if access.token else "it is private: then set HF_TOKEN"
    return f"{reference}: there is no such repository on {endpoint}, or {hint}"


def _of_status(reference: HubReference, endpoint: str, error: HfHubHTTPError) -> SourceError:
    status = error.response.status_code
    if status in {401, 403}:
        return SourceGatedError(f"{reference}: {endpoint} refuses access ({status}); set HF_TOKEN")
    return SourceError(f"{reference}: {endpoint} answered {status}; try again later")


def _of_disk(reference: HubReference, error: OSError) -> SourceError:
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return DiskFullError(f"{reference}: the disk is full; set HF_HOME to a larger one")
    return SourceError(f"{reference}: {error}")
