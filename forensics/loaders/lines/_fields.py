"""What is known of each line while it is read: stretches of the text, numbers, stamps; one array a field."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from forensics.loaders.lines._memory import memory

if TYPE_CHECKING:
    from forensics.loaders.lines._text import Bools, Bytes, Ints, Places
TEXT_FIELDS = (
    "host",
    "program",
    "severity",
    "logger",
    "request_id",
    "global_request_id",
    "user_id",
    "project_id",
    "instance",
    "message",
)
NO_STAMP, YEARLESS, LOCAL, UNIVERSAL, UNREADABLE, DAYLESS, YEARLESS_UTC = range(7)
"""Kinds of stamp: none; without a year (kept as of the year 2000); local time; UTC; digits that name no instant; a time
of day alone (kept as of 1970-01-01)."""
NOT_A_NUMBER = -1
CHAIN = 128
"""Framings that wrap each other are kept as digits to this base, the outermost first."""
DAY_NS = 86_400_000_000_000
SECOND_NS = 1_000_000_000
_MONTHS = b"JanFebMarAprMayJunJulAugSepOctNovDec"
_MONTH_KEYS = {int.from_bytes(_MONTHS[i * 3 : i * 3 + 3], "big"): i + 1 for i in range(12)}
_SORTED = np.array(sorted(_MONTH_KEYS), np.int32)
_MONTH_OF = np.array([_MONTH_KEYS[int(key)] for key in _SORTED], np.int64)
_DAYS_IN = np.array([0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31], np.int64)


@dataclass(slots=True)
class Stamps:
    """One stamp a line: its kind and nanoseconds since 1970 (of the wall clock, unless the kind is UTC)."""

    kind: npt.NDArray[np.int8]
    ns: Ints


@dataclass(slots=True)
class Fields:
    """All that has been read of the lines of a chunk."""

    count: int
    places: Places = field(init=False)
    """Of each line and each of `TEXT_FIELDS`: where it starts and ends, -1 for nowhere."""
    start: dict[str, Places] = field(init=False)
    end: dict[str, Places] = field(init=False)
    pid: Ints = field(init=False)
    priority: Ints = field(init=False)
    framing: Ints = field(init=False)
    header: Bools = field(init=False)
    context: Bools = field(init=False)
    trace: Bools = field(init=False)
    repeated: Bools = field(init=False)
    peeled: Bools = field(init=False)
    outer: Stamps = field(init=False)
    inner: Stamps = field(init=False)

    def __post_init__(self) -> None:
        texts, n = 2 * len(TEXT_FIELDS), self.count
        unset, zero = np.split(memory((4 * texts + 16 + 24 + 7) * n), [(4 * texts + 16) * n])
        unset.fill(255)  # -1 in every number
        zero.fill(0)
        self.places = unset[: 4 * texts * n].view(np.int32).reshape(n, len(TEXT_FIELDS), 2)
        columns = self.places.transpose(2, 1, 0)
        self.start, self.end = (dict(zip(TEXT_FIELDS, each, strict=True)) for each in columns)
        self.pid, self.priority = unset[4 * texts * n :].view(np.int64).reshape(2, n)
        self.framing, outer, inner = zero[: 24 * n].view(np.int64).reshape(3, n)
        flags = zero[24 * n :].reshape(7, n)
        self.header, self.context, self.trace, self.repeated, self.peeled = flags[:5].view(np.bool_)
        self.outer, self.inner = Stamps(flags[5].view(np.int8), outer), Stamps(flags[6].view(np.int8), inner)

    def put(self, name: str, lines: Ints, start: Ints, end: Ints) -> None:
        """Set one text field of some lines."""
        self.start[name][lines] = start
        self.end[name][lines] = end

    def stamp(self, lines: Ints, kind: npt.NDArray[np.int8], ns: Ints) -> None:
        """Set the innermost stamp; what was there before becomes the outer one, unless there is one already."""
        wrapped = (self.inner.kind[lines] != NO_STAMP) & (self.outer.kind[lines] == NO_STAMP)
        outer = lines[wrapped]
        self.outer.kind[outer], self.outer.ns[outer] = self.inner.kind[outer], self.inner.ns[outer]
        self.inner.kind[lines], self.inner.ns[lines] = kind, ns

    def framed(self, lines: Ints, framing: Ints | int) -> None:
        """Say that these lines are of a framing, inside those that they are of already."""
        self.framing[lines] = self.framing[lines] * CHAIN + framing
        self.header[lines] = True


def digits(window: Bytes, columns: tuple[int, ...]) -> Bools:
    """Whether the octets in these columns are decimal digits."""
    return np.asarray(((window[:, columns] - np.uint8(48)) < 10).all(axis=1))


def two(window: Bytes, column: int) -> Ints:
    """The number that two decimal digits write."""
    return (window[:, column].astype(np.int64) - 48) * 10 + (window[:, column + 1].astype(np.int64) - 48)


def month(window: Bytes) -> Ints:
    """Month of an English three-letter name in the first columns, 0 where there is none."""
    key = (window[:, 0].astype(np.int32) << 16) | (window[:, 1].astype(np.int32) << 8) | window[:, 2].astype(np.int32)
    at = np.minimum(np.searchsorted(_SORTED, key), 11)
    return np.where(_SORTED[at] == key, _MONTH_OF[at], 0)


def day_number(year: Ints, month_: Ints, day: Ints) -> Ints:
    """Days since 1970-01-01 in the Gregorian calendar (Howard Hinnant, chrono-Compatible Low-Level Date Algorithms)."""
    shifted = year - (month_ <= 2)
    era = shifted // 400
    of_era = shifted - era * 400
    of_year = (153 * (month_ + np.where(month_ > 2, -3, 9)) + 2) // 5 + day - 1
    of_cycle = of_era * 365 + of_era // 4 - of_era // 100 + of_year
    result: Ints = era * 146_097 + of_cycle - 719_468
    return result


def instant(
    year: Ints, month_: Ints, day: Ints, hour: Ints, minute: Ints, second: Ints, fraction_ns: Ints | int, kind: int
) -> tuple[npt.NDArray[np.int8], Ints]:
    """Nanoseconds since 1970 of a calendar time, and the kind of stamp: `UNREADABLE` where no such time exists.

    A leap second counts as the first second of the next minute. Years outside 1900 to 2261 do not fit.
    """
    known = (month_ >= 1) & (month_ <= 12)
    month_ = np.where(known, month_, 1)
    leap = (month_ == 2) & (year % 4 == 0) & ((year % 100 != 0) | (year % 400 == 0))
    good = known & (day >= 1) & (day <= _DAYS_IN[month_] + leap) & (hour < 24) & (minute < 60) & (second <= 60)
    good &= (year >= 1900) & (year <= 2261)
    safe = np.where(good, year, 2000)
    days = day_number(safe, month_, np.where(good, day, 1))
    ns = days * DAY_NS + ((hour * 60 + minute) * 60 + second) * SECOND_NS + fraction_ns
    return np.where(good, kind, UNREADABLE).astype(np.int8), np.where(good, ns, 0)


def distinct(chains: npt.NDArray[np.integer]) -> list[tuple[int, int]]:
    """The numbers there are, in order, and how often each."""
    if len(chains) and chains.min() == chains.max():
        return [(int(chains[0]), len(chains))]
    if len(chains) and chains.max() < CHAIN**2:
        counts = np.bincount(chains)
        found = np.flatnonzero(counts)
        return list(zip(found.tolist(), counts[found].tolist(), strict=True))
    found, counts = np.unique(chains, return_counts=True)
    return list(zip(found.tolist(), counts.tolist(), strict=True))
