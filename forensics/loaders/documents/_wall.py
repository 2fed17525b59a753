"""Wall clock times of documents to UTC, in the zone that is known of their host."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime

import polars as pl

from forensics.clocks import LocalClock
from forensics.loaders._reader import Origin
from forensics.loaders.documents._document import Document

NS = 1_000_000_000
_EPOCH = re.compile(r"^(\d{1,10})(?:\.(\d{0,20}))?$")
_ISO = re.compile(
    r"^(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9})\d*)?)?\s*"
    r"(Z|UTC|GMT|[+-]\d\d:?\d\d(?::?\d\d)?)?$"
)


def local_ns(year: int, month: int, day: int, hour: int = 0, minute: int = 0, second: int = 0) -> int | None:
    """A wall clock time as nanoseconds since 1970, as if it were UTC; None where there is no such time.

    Examples:
        >>> local_ns(2013, 2, 15, 8, 40, 18), local_ns(2013, 2, 30)
        (1360917618000000000, None)
    """
    try:
        return int(datetime(year, month, day, hour, minute, min(second, 59), tzinfo=UTC).timestamp()) * NS
    except (ValueError, OverflowError):
        return None


def utc_of(text: str | None) -> int | None:
    """An ISO stamp that is UTC unless it says otherwise, as OpenStack's interfaces write it; nanoseconds since 1970.

    Examples:
        >>> utc_of("2013-02-15T08:40:18.000000"), utc_of("2013-02-15 01:40:18-07:00"), utc_of("None"), utc_of(None)
        (1360917618000000000, 1360917618000000000, None, None)
    """
    wall, offset = iso_wall(text)
    return None if wall is None else wall - (offset or 0) * NS


def iso_wall(text: str | None) -> tuple[int | None, int | None]:
    """An ISO stamp as wall clock time in nanoseconds, and its offset in seconds where it has one."""
    found = _ISO.match(text.strip()) if text and len(text) < 64 else None
    if not found:
        return None, None
    year, month, day, hour, minute, second, fraction, zone = found.groups()
    wall = local_ns(int(year), int(month), int(day), int(hour), int(minute), int(second or 0))
    if wall is None or not 1678 < int(year) < 2262:
        return None, None
    wall += int((fraction or "").ljust(9, "0"))
    if not zone:
        return wall, None
    if zone[0] not in "+-":
        return wall, 0
    digits = zone[1:].replace(":", "").ljust(6, "0")
    size = int(digits[:2]) * 3600 + int(digits[2:4]) * 60 + int(digits[4:6])
    return wall, -size if zone[0] == "-" else size


def epoch_ns(text: str | None) -> int | None:
    """Seconds since 1970, with or without a fraction, as whole nanoseconds.

    Examples:
        >>> epoch_ns("1360917618.25"), epoch_ns("x")
        (1360917618250000000, None)
    """
    found = _EPOCH.match(text) if text else None
    return int(found[1]) * NS + int((found[2] or "")[:9].ljust(9, "0")) if found else None


def to_utc(origin: Origin, walls: Sequence[int | None]) -> list[int | None]:
    """Wall clock times of the host, in the order of their lines, as UTC; as they are where no zone is known."""
    if origin.zone is None or all(wall is None for wall in walls):
        return list(walls)
    moved = LocalClock(origin.zone).utc(pl.Series(walls, dtype=pl.Int64))
    return moved["ts"].cast(pl.Int64).to_list()


def to_wall(origin: Origin, instant: int | None) -> int | None:
    """The host's wall clock at an instant."""
    if instant is None or origin.zone is None:
        return instant
    at = to_utc(origin, [instant])[0]
    return None if at is None else instant + (instant - at)


def told_zone(document: Document) -> None:
    """Say in which zone the stamps of a document were read."""
    zone = document.origin.zone
    document.facts["zone"] = zone or "UTC"
    document.facts["zone_basis"] = document.origin.zone_basis if zone else "assumed"
