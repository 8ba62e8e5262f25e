"""Prompts that have a record already: coming again, they are counted and not recorded anew.

So one prompt asked a thousand times takes the room of one. A record that will soon be dropped is
as good as none: once it stands in the older half of the history its prompt is recorded anew.
"""

from __future__ import annotations

from collections import OrderedDict

_MOST = 1 << 17


class KnownPrompts:
    """Fingerprints with the segment that holds their record, and repeats not yet written.

    Attributes:
        repeats: how often each came again since they were last taken.
    """

    def __init__(self, young_segments: int) -> None:
        self.repeats: dict[int, int] = {}
        self._young = young_segments
        self._segments: OrderedDict[int, int] = OrderedDict()

    def recorded(self, fingerprint: int | None, segment: int) -> None:
        """A record of this prompt was written to a segment."""
        if fingerprint is None:
            return
        self._segments[fingerprint] = segment
        self._segments.move_to_end(fingerprint)
        if len(self._segments) > _MOST:
            self._segments.popitem(last=False)

    def again(self, fingerprint: int | None, newest_segment: int) -> bool:
        """Count the prompt as a repeat, if it is one of a record that stays a while."""
        if fingerprint is None:
            return False
        segment = self._segments.get(fingerprint)
        if segment is None or segment <= newest_segment - self._young:
            return False
        self.repeats[fingerprint] = self.repeats.get(fingerprint, 0) + 1
        return True

    def take_repeats(self) -> dict[int, int]:
        taken, self.repeats = self.repeats, {}
        return taken
