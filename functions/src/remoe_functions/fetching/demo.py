"""The demo model onto a volume, made of weights that are there: no network."""

from __future__ import annotations

from remoe_functions.demo_model.assemble import Sources, assemble, assembled_bytes
from remoe_functions.fetching.marker import Marker
from remoe_functions.fetching.progress import ProgressMeter
from remoe_functions.fetching.volume import Volume
from remoe_functions.fetching.wish import Wish


def fetch(wish: Wish, volume: Volume, meter: ProgressMeter) -> Marker:
    """Make the volume's model the demo model.

    Raises:
        AssemblyError: it cannot be made; says what helps.
    """
    sources = Sources.from_environment()
    revision = sources.digest()
    folder = volume.room(wish, revision)
    meter.expect(folder.parent, assembled_bytes(sources), revision)
    assemble(folder, sources=sources)
    marker = Marker.of_folder(wish, revision, folder)
    volume.install(folder, marker)
    return marker
