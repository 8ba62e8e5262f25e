"""A model as the user names it, become a folder on this machine."""

from __future__ import annotations

import os
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from remoe_functions.source.errors import SourceError, SourceNotFoundError
from remoe_functions.source.reference import SCHEME, HubReference


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A model at hand.

    Attributes:
        name: what clients call it: `org/name`, or the folder's name.
        directory: its checkpoint folder.
        key: tells it from every other model, as a file name; the same after an update.
    """

    name: str
    directory: Path
    key: str


def resolve(model: str) -> Source:
    """The model's folder, fetched if need be.

    Args:
        model: a local folder, or `hf://org/name[@revision]`; the hub's endpoint and token come
            from the environment (HF_ENDPOINT, HF_TOKEN).

    Raises:
        SourceError: it cannot be had; says why in one line.
    """
    if model.startswith(SCHEME):
        return _from_hub(model)
    directory = Path(model).expanduser().absolute()
    if not directory.is_dir():
        kind = "is a file, not a folder" if directory.exists() else "does not exist"
        raise SourceNotFoundError(
            f"{model} {kind}; a model is a checkpoint folder or hf://org/name[@revision]"
        )
    place = directory.resolve()
    mark = sha256(os.fsencode(place)).hexdigest()[:8]  # folders of one name are not one model
    return Source(name=place.name, directory=directory, key=f"{place.name}-{mark}")


def _from_hub(model: str) -> Source:
    from remoe_functions.source.access import HubAccess
    from remoe_functions.source.hub import download  # slow to import

    try:
        reference = HubReference.parse(model)
    except ValueError as error:
        raise SourceError(str(error)) from error
    directory = download(reference, HubAccess.from_environment())
    key = reference.repository.replace("/", "--")
    return Source(name=reference.repository, directory=directory, key=key)
