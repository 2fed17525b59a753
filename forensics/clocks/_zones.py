"""Wall clocks to UTC: zones, the hour that comes twice and the hour that never comes."""

from __future__ import annotations

import importlib
import importlib.resources
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl

from forensics.clocks._stamps import DAY_S, NS, Column, Flags, Ints, whole_numbers

FIRST_TIME = "repeated hour, first time by line order"
SECOND_TIME = "repeated hour, second time by line order"
UNDECIDED = "repeated hour, order does not decide: first time taken"
SKIPPED = "skipped hour: this wall clock time never was"
MARKS = (FIRST_TIME, SECOND_TIME, UNDECIDED, SKIPPED)

TZDATA_VERSION: str = importlib.import_module("tzdata").IANA_VERSION
"""Release of the IANA time zone database that all conversions use."""

_OFFSET = re.compile(r"^(?:UTC|GMT)?([+-])(\d{1,2})(?::?(\d{2}))?(?::?(\d{2}))?$")
_JITTER_S = 60
"""Lines of one file may be out of order by so much without a clock having been set back."""
_NULL = np.iinfo(np.int64).min


def zone_offset(zone: str) -> int | None:
    """Seconds east of UTC, where ``zone`` is a fixed offset or UTC; otherwise None.

    Examples:
        >>> zone_offset("+05:30"), zone_offset("-0700"), zone_offset("UTC"), zone_offset("Europe/Berlin")
        (19800, -25200, 0, None)
    """
    if zone.upper() in {"UTC", "Z", "GMT", "ETC/UTC"}:
        return 0
    match = _OFFSET.match(zone)
    if not match:
        return None
    sign, hours, minutes, seconds = match.groups()
    size = int(hours) * 3600 + int(minutes or 0) * 60 + int(seconds or 0)
    if size > 18 * 3600 or int(minutes or 0) > 59 or int(seconds or 0) > 59:
        return None
    return -size if sign == "-" else size


@lru_cache(maxsize=1)
def zone_names() -> frozenset[str]:
    """All names of the IANA database."""
    return frozenset((importlib.resources.files("tzdata") / "zones").read_text("ascii").split())


def is_zone(zone: str) -> bool:
    """Whether a name or an offset can be used here.

    Examples:
        >>> is_zone("America/Edmonton"), is_zone("+02:00"), is_zone("../../etc/passwd"), is_zone("Mars/Olympus")
        (True, True, False, False)
    """
    return zone_offset(zone) is not None or zone in zone_names()


class LocalClock:
    """The wall clock of one source, line after line, to UTC.

    In the hour that comes twice, the order of the lines decides where it can:
    a step back of more than a minute divides the first pass from the second.
    Feed it the lines of one source in their order, in as many calls as wanted;
    what the order of earlier calls has decided stays decided.

    Args:
        zone: An IANA name or an offset such as ``+02:00``.

    Raises:
        ValueError: If there is no such zone.
    """

    def __init__(self, zone: str) -> None:
        if not is_zone(zone):
            raise ValueError(f"no such time zone: {zone!r}")
        self.zone = zone
        self._fixed = zone_offset(zone)
        self._window: tuple[int, int, bool] | None = None  # end of the window (local), last line in it, second pass

    @property
    def state(self) -> list[Any] | None:
        """What the order of earlier lines has decided, as plain values."""
        return None if self._window is None else list(self._window)

    def resume(self, state: Sequence[Any] | None) -> None:
        """Go on where a clock of the same zone had this state."""
        self._window = None if state is None else (state[0], state[1], state[2])

    def utc(self, local_ns: Column) -> pl.DataFrame:
        """UTC of wall clock times.

        Args:
            local_ns: Nanoseconds since 1970 as the wall clock shows them, null where unknown.

        Returns:
            One row per row: ``ts`` (Datetime ns UTC, null only where the input
            is, or where UTC leaves 64 bits) and ``mark`` (one of `MARKS`, null
            where the time is plain). A skipped time is read with the offset
            before the transition, as PEP 495 does.
        """
        local = whole_numbers(local_ns, _NULL)
        known = local != _NULL
        seconds = np.where(known, local, 0) // NS
        marks = np.zeros(len(local), dtype=np.int8)
        if self._fixed is not None or not known.any():
            offset: Ints = np.full(len(local), self._fixed or 0, dtype=np.int64)
        else:
            offset, marks = self._offsets(seconds, known)
        words = pl.Series([None, *MARKS], dtype=pl.String)
        ts_ns = np.where(known, local, 0) - offset * NS
        known &= (ts_ns <= local) == (offset >= 0)  # at the ends of time it wraps
        frame = pl.DataFrame({"ts": ts_ns, "known": known, "mark": words.gather(marks)})
        ts = pl.when("known").then("ts").cast(pl.Datetime("ns", "UTC"))
        return frame.select(ts=ts, mark=pl.when("known").then("mark"))

    def _offsets(self, seconds: Ints, known: Flags) -> tuple[Ints, np.ndarray]:
        times, offsets = transitions(self.zone, int(seconds[known].min()), int(seconds[known].max()))
        before, after = offsets[:-1], offsets[1:]
        # PEP 495: fold 0 keeps the old offset through gap and overlap, fold 1 takes the new one from their start.
        ends = times + np.maximum(before, after)
        first = offsets[np.searchsorted(ends, seconds, side="right")]
        second_index = np.searchsorted(times + np.minimum(before, after), seconds, side="right")
        second = offsets[second_index]
        marks = np.zeros(len(seconds), dtype=np.int8)
        marks[known & (first < second)] = 1 + MARKS.index(SKIPPED)
        repeated = np.flatnonzero(known & (first > second))
        chosen = first.copy()
        windows = ends[second_index[repeated] - 1]
        for end in np.unique(windows):
            rows = repeated[windows == end]
            later, decided = self._passes(seconds[rows], int(end))
            chosen[rows[later]] = second[rows[later]]
            marks[rows] = 1 + MARKS.index(FIRST_TIME if decided else UNDECIDED)
            marks[rows[later]] = 1 + MARKS.index(SECOND_TIME)
        return chosen, marks

    def _passes(self, seconds: Ints, end: int) -> tuple[Flags, bool]:
        """Which lines of one repeated hour belong to its second pass, and whether the order says so."""
        carried = self._window if self._window and self._window[0] == end else None
        previous = np.concatenate(([carried[1] if carried else seconds[0]], seconds[:-1]))
        back = np.flatnonzero(previous - seconds > _JITTER_S)
        later = np.full(len(seconds), bool(carried and carried[2]))
        decided = bool(later.any())
        if len(back) and not decided:
            later[back[np.argmax((previous - seconds)[back])] :] = True
            decided = True
        self._window = (end, int(seconds[-1]), bool(later[-1]))
        return later, decided


def transitions(zone: str, first_s: int, last_s: int) -> tuple[Ints, Ints]:
    """Changes of a zone's offset around a span of time.

    Returns:
        ``times`` (seconds since 1970, UTC, ascending) and ``offsets`` (seconds
        east of UTC, one more than times: the one before the first change first).
    """
    decade = 10 * 365 * DAY_S
    return _transitions(zone, (first_s - 2 * DAY_S) // decade, (last_s + 2 * DAY_S) // decade + 1)


@lru_cache(maxsize=64)
def _transitions(zone: str, first_decade: int, last_decade: int) -> tuple[Ints, Ints]:
    info = _zone_info(zone)
    start, days = first_decade * 3650, (last_decade - first_decade) * 3650
    origin = datetime(1970, 1, 1, tzinfo=UTC)

    def offset_at(second: int) -> int:
        shift = (origin + timedelta(seconds=second)).astimezone(info).utcoffset()
        assert shift is not None
        return round(shift.total_seconds())

    # No zone changes its offset twice within a day, so a look at each midnight misses nothing.
    noted = [offset_at((start + day) * DAY_S) for day in range(days + 1)]
    times, offsets = [], [noted[0]]
    for day in range(days):
        if noted[day] == noted[day + 1]:
            continue
        low, high = (start + day) * DAY_S, (start + day + 1) * DAY_S
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if offset_at(middle) == noted[day] else (low, middle)
        times.append(high)
        offsets.append(noted[day + 1])
    return np.array(times, dtype=np.int64), np.array(offsets, dtype=np.int64)


@lru_cache(maxsize=1024)
def _zone_info(zone: str) -> ZoneInfo:
    # From the package, not from the system: the same evidence gives the same times on every machine.
    data = importlib.resources.files("tzdata.zoneinfo").joinpath(*zone.split("/"))
    with data.open("rb") as file:
        return ZoneInfo.from_file(file, key=zone)


# Offsets that civil time uses or has used since 2010 and that are no whole hours (IANA database).
_ODD_QUARTERS = (-38, -18, -14, -10, 14, 18, 22, 23, 26, 34, 35, 38, 42, 46, 51, 55)
_ZONE_QUARTERS = np.array(sorted({*range(-48, 57, 4), *_ODD_QUARTERS}), dtype=np.int64)
QUARTER_S = 900


def quarter_hours(offset_s: float, bound_s: float = 0.0) -> tuple[int, float] | None:
    """Split a difference of clocks into a time zone and a clock error.

    Args:
        offset_s: A clock minus a reference in UTC, both read as if they were UTC.
        bound_s: The true difference lies within ``offset_s`` ± ``bound_s``.

    Returns:
        ``zone_s`` (seconds east of UTC, an offset that some zone uses, from
        -12 h to +14 h) and ``rest_s`` (the clock's error); None where no zone, or
        more than one quarter of an hour, would fit.

    Examples:
        >>> quarter_hours(-25198.5, 0.4)
        (-25200, 1.5)
        >>> quarter_hours(5 * 3600.0, 500.0) is None
        True
    """
    quarters = round(offset_s / QUARTER_S) if abs(offset_s) < DAY_S else 99
    rest = offset_s - quarters * QUARTER_S
    if quarters not in _ZONE_QUARTERS or abs(rest) + bound_s > QUARTER_S / 2:
        return None
    return quarters * QUARTER_S, rest
