"""A model from a hub onto a volume: asked first, refused early, then brought."""

from __future__ import annotations

from dataclasses import replace

from remoe_functions.checkpoint.config import read_config
from remoe_functions.checkpoint.families import family_of
from remoe_functions.checkpoint.files import CONFIG_FILE
from remoe_functions.fetching.errors import FetchError, Reason
from remoe_functions.fetching.marker import Marker
from remoe_functions.fetching.progress import ProgressMeter
from remoe_functions.fetching.shape import architecture_of
from remoe_functions.fetching.transfer import Transfer
from remoe_functions.fetching.volume import Volume
from remoe_functions.fetching.wish import Wish
from remoe_functions.source.access import Advice, HubAccess
from remoe_functions.source.errors import DiskFullError
from remoe_functions.source.listing import list_files
from remoe_functions.source.reference import HubReference

_ADVICE = Advice(
    token="name a Secret with a token in spec.model.tokenSecret",  # noqa: S106 - words
    space="give spec.model.storage.size more, or enlarge the claim",
)


def fetch(wish: Wish, volume: Volume, meter: ProgressMeter) -> Marker:
    """Make the volume's model the one wished for.

    Raises:
        SourceError: it cannot be had.
        CheckpointError: it is not served.
        FetchError: the wish makes no sense, or what came was damaged.
    """
    reference, access = _reference(wish), _access(wish)
    listing = list_files(reference, access)
    folder = volume.room(wish, listing.commit)
    transfer = Transfer(reference, listing, access, folder)
    missing, free = transfer.missing_bytes, volume.free_bytes()
    if missing > free:
        raise DiskFullError.before(str(reference), missing, free, access.advice.space)
    meter.expect(folder, listing.size_bytes, listing.commit)
    transfer.bring([listing.file(CONFIG_FILE)])
    family_of(read_config(folder))  # before the weights: they may be a hundred gigabytes
    transfer.bring(listing.files)
    architecture_of(folder, wish.uri)  # the announced bytes may be no model all the same
    marker = Marker.of_folder(wish, listing.commit, folder)
    volume.install(folder, marker)
    return marker


def _reference(wish: Wish) -> HubReference:
    try:
        named = HubReference.parse(wish.uri)
    except ValueError as error:
        raise FetchError(Reason.INVALID_URI, str(error)) from error
    return replace(named, revision=wish.revision or named.revision)


def _access(wish: Wish) -> HubAccess:
    known = HubAccess.from_environment()
    endpoint = wish.endpoint.rstrip("/") if wish.endpoint else known.endpoint
    return replace(known, endpoint=endpoint, advice=_ADVICE)
