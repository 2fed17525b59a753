"""Days for lines that have a time of day alone: from when the snapshot was taken or the file last written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from forensics.clocks import NO_TIME, LocalClock
from forensics.loaders._reader import Origin
from forensics.loaders.lines._fields import DAY_NS, SECOND_NS
from forensics.loaders.lines._text import Ints

_HALF_DAY_NS = DAY_NS // 2
_STILL_WRITING_NS = 600 * SECOND_NS
"""A file that was being written until its last line was modified no later than this after that line's own time."""


class DayPlan:
    """Puts times of day on days, in the order of a file.

    A step back of more than half a day is a midnight. The day of the first line is the one on which the snapshot was
    taken; otherwise the last line must have been written just before the file was last modified, or nothing tells
    the day: a copy's modification time is that of the copying.

    Attributes:
        whole: Whether the lines that come are all that the file has; only then is the last one known.
        basis: How the day was found (a word of `forensics.records.YEAR_BASES`).
    """

    def __init__(self, origin: Origin) -> None:
        self._origin = origin
        self._clock = LocalClock(origin.zone or "UTC")
        self._last: int | None = None
        self._day = 0
        self._known: bool | None = None
        self.whole = False
        self.basis = "none"

    @property
    def state(self) -> list[Any]:
        """All that later lines need, as plain values."""
        return [self._last, self._day, self._known, self.basis]

    def resume(self, state: Sequence[Any]) -> None:
        """Go on where a plan of the same origin had this state."""
        self._last, self._day, self._known, self.basis = state

    def local_ns(self, clocks: Ints) -> Ints:
        """Nanoseconds since 1970 of the wall clock, `NO_TIME` where the day is unknown.

        Args:
            clocks: Nanoseconds since midnight.
        """
        before = clocks[0] if self._last is None else self._last
        midnights = np.cumsum(np.diff(clocks, prepend=before) < -_HALF_DAY_NS)
        if self._known is None:
            self._known = self._begin(int(clocks[0]), int(clocks[-1]), int(midnights[-1]))
        self._last = int(clocks[-1])
        if not self._known:
            return np.full(len(clocks), NO_TIME, np.int64)
        days = self._day + midnights
        self._day = int(days[-1])
        placed: Ints = days * DAY_NS + clocks
        return placed

    def _begin(self, first: int, last: int, midnights: int) -> bool:
        """Find the day of the first line."""
        taken, modified = self._origin.taken_ns, self._origin.modified_ns
        if taken is not None:
            self._day = self._near(first, taken, -_STILL_WRITING_NS, DAY_NS - _STILL_WRITING_NS)
            self.basis = "neighbour"
            return self._day != NO_TIME
        if modified is not None and self.whole:
            day = self._near(last, modified, -_STILL_WRITING_NS, SECOND_NS)
            self._day, self.basis = day - midnights, "modified" if day != NO_TIME else "none"
            return day != NO_TIME
        return False

    def _near(self, clock: int, instant: int, low: int, high: int) -> int:
        """The day on which a time of day lies between two distances from an instant, `NO_TIME` for none."""
        days = instant // DAY_NS + np.arange(-1, 2)
        at = self._clock.utc(days * DAY_NS + clock)["ts"].to_physical().to_numpy() - instant
        fits = days[(at >= low) & (at < high)]
        return int(fits[0]) if len(fits) else NO_TIME
