"""From arguments to a model that can be served, whichever way it comes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from remoe_functions.fetching import demo, hub
from remoe_functions.fetching.arguments import Arguments
from remoe_functions.fetching.errors import FetchError, Reason
from remoe_functions.fetching.marker import Marker
from remoe_functions.fetching.outcome import Fetched
from remoe_functions.fetching.progress import ProgressMeter, folder_bytes
from remoe_functions.fetching.shape import architecture_of
from remoe_functions.fetching.volume import Volume
from remoe_functions.fetching.wish import Wish

Fetch = Callable[[Wish, Volume, ProgressMeter], Marker]


def bring(arguments: Arguments, meter: ProgressMeter) -> Fetched:
    """Have the model where it is wanted, and say what it is.

    Raises:
        FetchError: it cannot be had; says why.
    """
    try:
        if arguments.wants_history:
            Volume(arguments.into).make_history()
        return _look(arguments) if arguments.at is not None else _fetch(arguments, meter)
    except Exception as error:
        raise FetchError.of(error) from error


def _fetch(arguments: Arguments, meter: ProgressMeter) -> Fetched:
    volume = Volume(arguments.into)
    wish = Wish(uri=arguments.uri, revision=arguments.revision, endpoint=arguments.endpoint)
    fetch: Fetch = demo.fetch if arguments.uri.startswith("demo://") else hub.fetch
    with volume.reserved():
        marker = volume.held(wish) or fetch(wish, volume, meter)
        meter.finish(marker.size_bytes, marker.revision)
        return Fetched(
            architecture=architecture_of(volume.model, arguments.uri),
            revision=marker.revision,
            size_bytes=marker.size_bytes,
        )


def _look(arguments: Arguments) -> Fetched:
    """At a model that somebody else put there, and keeps."""
    folder = arguments.at or Path()
    if not (folder / "config.json").is_file():
        raise FetchError(
            Reason.MODEL_NOT_FOUND, f"{arguments.uri} has no config.json: it is no model's folder"
        )
    architecture = architecture_of(folder, arguments.uri)
    return Fetched(
        architecture=architecture,
        revision=architecture.revision,
        size_bytes=folder_bytes(folder),
    )
