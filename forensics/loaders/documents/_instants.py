"""When something was typed, as the output of `date` tells."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import polars as pl

from forensics.clocks import LocalClock, is_zone, zone_offset

_NS = 1_000_000_000
_MONTHS = {name: number for number, name in enumerate(
    ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"), 1)}  # fmt: skip
_MONTH = "(?P<month>" + "|".join(_MONTHS) + ")"
_DAY_NAME = r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)"
_TIME = r"(?P<time>\d\d:\d\d:\d\d)(?: (?P<half>[AP]M))?"
_ZONE = r"(?P<zone>[A-Z]{1,5}|[+-]\d\d(?::?\d\d)?)"
_FORMS = tuple(
    re.compile(rf"^\s*{form}\s*$")
    for form in (
        # date, in the C locale; newer coreutils in an English locale put the day first, with AM and PM
        rf"{_DAY_NAME} {_MONTH} {{1,2}}(?P<day>\d{{1,2}}) {_TIME} {_ZONE} (?P<year>\d{{4}})",
        rf"{_DAY_NAME} {{1,2}}(?P<day>\d{{1,2}}) {_MONTH} (?P<year>\d{{4}}) {_TIME} {_ZONE}",
        # date -R (RFC 5322)
        rf"{_DAY_NAME}, (?P<day>\d{{1,2}}) {_MONTH} (?P<year>\d{{4}}) (?P<time>\d\d:\d\d:\d\d) (?P<zone>[+-]\d{{4}})",
        # date -I, --rfc-3339, and formats of one's own
        (
            r"(?P<year>\d{4})-(?P<number>\d\d)-(?P<day>\d\d)[T _](?P<time>\d\d:\d\d:\d\d)"
            r"(?:[.,](?P<fraction>\d{1,9}))? ?(?P<zone>Z|UTC|[+-]\d\d:?\d\d)?"
        ),
    )
)
_EPOCH = re.compile(r"^\s*(?P<epoch>1\d{9})(?:\.(?P<fraction>\d{1,9}))?\s*$")
# one offset answers to each of these; CST, IST, BST and their like are shared by several
_ABBREVIATIONS = {
    "UTC": 0, "GMT": 0, "Z": 0, "WET": 0, "WEST": 1, "CET": 1, "CEST": 2, "EET": 2, "EEST": 3, "MSK": 3, "JST": 9,
    "KST": 9, "EST": -5, "EDT": -4, "CDT": -5, "MST": -7, "MDT": -6, "PST": -8, "PDT": -7, "AKST": -9, "AKDT": -8,
    "HST": -10, "AEST": 10, "AEDT": 11, "NZST": 12, "NZDT": 13,
}  # fmt: skip


def instant_of(text: str, zone: str | None = None, *, utc: bool = False) -> int | None:
    """The instant that a line of `date` tells, in nanoseconds since 1970.

    Args:
        text: The line.
        zone: Zone of the host, for a line that names none or an abbreviation that several zones share.
        utc: Whether the command asked for UTC.

    Returns:
        None where it is no such line, its zone cannot be told, or it is beyond 64 bits.

    Examples:
        >>> instant_of("Fri Feb 15 08:40:18 UTC 2013"), instant_of("Fri, 15 Feb 2013 01:40:18 -0700")
        (1360917618000000000, 1360917618000000000)
        >>> instant_of("2013-02-15 01:40:18"), instant_of("2013-02-15 01:40:18", "America/Edmonton")
        (None, 1360917618000000000)
    """
    if found := _EPOCH.match(text):
        return _fitting(int(found["epoch"]) * _NS + int((found["fraction"] or "").ljust(9, "0")))
    for form in _FORMS:
        if found := form.match(text):
            return _fitting(_of(found.groupdict(), zone, utc))
    return None


def _fitting(ns: int | None) -> int | None:
    return ns if ns is not None and -(1 << 63) <= ns < 1 << 63 else None


def _of(parts: dict[str, Any], zone: str | None, utc: bool) -> int | None:
    hour, minute, second = (int(part) for part in parts["time"].split(":"))
    if parts.get("half"):
        hour = hour % 12 + (12 if parts["half"] == "PM" else 0)
    month = int(parts["number"]) if parts.get("number") else _MONTHS[parts["month"]]
    try:
        local = datetime(int(parts["year"]), month, int(parts["day"]), hour, minute, min(second, 59), tzinfo=UTC)
    except ValueError:
        return None
    fraction = int((parts.get("fraction") or "").ljust(9, "0"))
    said = "UTC" if utc else parts.get("zone")
    offset = zone_offset(said) if said and said[0] in "+-" else None
    if offset is None and said in _ABBREVIATIONS:
        offset = _ABBREVIATIONS[said] * 3600
    if offset is not None:
        at = local.replace(tzinfo=timezone(timedelta(seconds=offset)))
        return int(at.timestamp()) * _NS + fraction
    wall_ns = _fitting(int(local.timestamp()) * _NS)
    if wall_ns is None or zone is None or not is_zone(zone):
        return None
    wall = pl.Series([wall_ns], dtype=pl.Int64)
    at_ns: int | None = LocalClock(zone).utc(wall)["ts"].dt.epoch("ns").item()
    return None if at_ns is None else at_ns + fraction
