"""Documents that tell a host's time zone: `/etc/timezone`, and the output of `timedatectl` and `date`."""

from __future__ import annotations

import re

from forensics.clocks import is_zone, zone_names, zone_offset

_LONGEST_BYTES = 65_536
_LONGEST_LINE = 300
_PROMPT = r"^(?:\[?[\w.-]+@[\w.-]+[^\n$#>]{0,80}[$#>]\]?[ \t]+|[$#>][ \t]+)"
_COMMAND = re.compile(_PROMPT + r"(?P<command>\S[^\n]*)$")
_TIMEDATECTL = re.compile(
    r"^\s*(?:Time ?zone):\s*(?P<zone>[A-Za-z][\w+-]*(?:/[\w+-]+)*)\s*(?:\([^)\n]*\))?\s*$", re.IGNORECASE
)
_PROPERTY = re.compile(r"^Timezone=(?P<zone>\S+)\s*$")
_RFC_2822 = re.compile(
    r"^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d{1,2} [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d (?P<zone>[+-]\d{4})\s*$"
)
_ISO = re.compile(r"^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)? ?(?P<zone>[+-]\d\d:?\d\d)\s*$")
_PLAIN = re.compile(
    r"^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) (?:[A-Z][a-z]{2} {1,2}\d{1,2}|\d{1,2} [A-Z][a-z]{2} \d{4}) "
    r"(?:\d\d:\d\d:\d\d(?: [AP]M)?) (?P<zone>[A-Z]{3,5}|[+-]\d{2,4})(?: \d{4})?\s*$"
)
_BARE = re.compile(r"^(?P<zone>[+-]\d\d:?\d\d)\s*$")
_NAME = re.compile(r"^(?P<zone>[A-Za-z]\w*(?:/[\w+-]+){1,2}|UTC|GMT|Etc/\S+)\s*$")
_OF_TIMEZONE = re.compile(r"(?:^|/)etc/timezone$|(?:^|/|[._-])timezone(?:\.txt)?$", re.IGNORECASE)
_OF_DATE = re.compile(r"(?:^|/)(?:date|timedatectl)[\w.-]*$", re.IGNORECASE)
# Abbreviations that one zone offset alone answers to; CST, IST and their like are shared by several.
_ABBREVIATIONS = {
    "UTC": "UTC", "GMT": "UTC", "WET": "+00:00", "WEST": "+01:00", "CET": "+01:00", "CEST": "+02:00", "EET": "+02:00",
    "EEST": "+03:00", "MSK": "+03:00", "JST": "+09:00", "KST": "+09:00", "EDT": "-04:00", "CDT": "-05:00",
    "MDT": "-06:00", "MST": "-07:00", "PDT": "-07:00", "AKDT": "-08:00", "AKST": "-09:00", "HST": "-10:00",
    "NZST": "+12:00", "NZDT": "+13:00", "AEST": "+10:00", "AEDT": "+11:00",
}  # fmt: skip


def zone_of(head: bytes, name: str) -> str | None:
    r"""The time zone that a document tells of the host it comes from.

    Read are the file ``/etc/timezone``, the output of ``timedatectl`` (also
    ``show``), and of ``date``, ``date -R``, ``date -I…``, ``date +%z``, with or without the
    prompt they were typed at. ``date -u`` tells nothing. An Olson name wins over an offset,
    because it also knows the other half of the year: an offset holds for the season it was taken in.

    Args:
        head: The first bytes of the file, 64 KiB at most are looked at.
        name: Path of the file inside the evidence. It decides whether a bare zone name, a bare
            offset or a line of ``date`` without its prompt counts: such lines occur in other files too.

    Returns:
        An Olson name or an offset such as ``-07:00``; None where the document
        tells no zone, tells two that differ, or names one that does not exist.

    Examples:
        >>> zone_of(b"America/Edmonton\n", "cc12/etc/timezone")
        'America/Edmonton'
        >>> zone_of(b"adm@cc12:~$ date -R\nFri, 15 Feb 2013 01:40:18 -0700\n", "cc12/notes.txt")
        '-07:00'
    """
    text = head[:_LONGEST_BYTES].decode("utf-8", "replace").replace("\r", "")
    # What tells a zone is short; patterns that may look back never see a long line.
    lines = [line if len(line) <= _LONGEST_LINE else "" for line in text.split("\n")]
    names: set[str] = set()
    offsets: set[str] = set()
    for number, line in enumerate(lines):
        for zone in _told(lines, number, line, name):
            (names if zone in zone_names() and zone_offset(zone) is None else offsets).add(zone)
    told = names or offsets
    return told.pop() if len(told) == 1 else None


def _told(lines: list[str], number: int, line: str, name: str) -> list[str]:
    """Zones that one line tells."""
    said = _TIMEDATECTL.match(line) or _PROPERTY.match(line)
    if said:
        return _usable(said["zone"])
    if _OF_TIMEZONE.search(name) and (said := _NAME.match(line)):
        return _usable(said["zone"])
    command = _command_above(lines, number)
    if command is None and not _OF_DATE.search(name):
        return []
    if command is not None and not re.match(r"(?:\S*/)?date\b", command):
        return []
    if command is not None and re.search(r"\s(?:-\w*u\w*|--utc|--universal)\b", command):
        return []
    for pattern in (_RFC_2822, _ISO, _PLAIN, _BARE):
        if said := pattern.match(line):
            return _usable(said["zone"])
    return []


def _command_above(lines: list[str], number: int) -> str | None:
    """The command whose output a line is: the nearest prompt above it."""
    for line in reversed(lines[max(0, number - 3) : number]):
        if typed := _COMMAND.match(line):
            return typed["command"]
    return None


def _usable(zone: str) -> list[str]:
    known = _ABBREVIATIONS.get(zone, zone)
    offset = zone_offset(known)
    if offset is None:
        return [known] if is_zone(known) and "/" in known else []
    if known.upper() in {"UTC", "GMT", "ETC/UTC"}:
        return ["UTC"]
    sign, size = ("-", -offset) if offset < 0 else ("+", offset)
    return [f"{sign}{size // 3600:02}:{size // 60 % 60:02}"]
