"""Getting a model from a hub, through huggingface_hub: its cache, its resuming, its progress bars.

Only what serving needs is fetched: configuration, tokenizer, chat template and the safetensors of
the top folder.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import cast

from huggingface_hub import constants, snapshot_download
from huggingface_hub.errors import DryRunError
from huggingface_hub.file_download import DryRunFileInfo

from remoe_functions.source.access import HubAccess
from remoe_functions.source.errors import DiskFullError, SourceIncompleteError
from remoe_functions.source.hub_errors import translated
from remoe_functions.source.reference import HubReference
from remoe_functions.source.wanted import UNWANTED, WANTED, can_be_served


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
    with translated(reference, access):
        with suppress(DryRunError):  # the hub cannot be reached; perhaps everything is cached
            _check(reference, access, cast("list[DryRunFileInfo]", fetch(dry_run=True)))
        return Path(fetch())


def _check(reference: HubReference, access: HubAccess, files: Sequence[DryRunFileInfo]) -> None:
    """Refuse before the first byte what cannot end well."""
    if not can_be_served({file.filename for file in files}):
        raise SourceIncompleteError.of(reference)
    needed = sum(file.file_size or 0 for file in files if file.will_download)
    free = shutil.disk_usage(_existing(access.cache or Path(constants.HF_HUB_CACHE))).free
    if needed > free:
        raise DiskFullError.before(str(reference), needed, free, access.advice.space)


def _existing(folder: Path) -> Path:
    return folder if folder.exists() else _existing(folder.absolute().parent)
