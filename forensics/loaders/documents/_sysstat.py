"""The banner and the clock of sysstat's text reports: host, date in the locale's form, 12 or 24 hours, midnight."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from forensics.loaders.documents._document import Document
from forensics.loaders.documents._wall import NS, local_ns

BANNER = re.compile(
    r"^(?:Linux|AIX|SunOS) (?P<release>\S+) \((?P<host>[^()\s]{1,253})\)\s+(?P<date>\S{6,16})"
    r"(?:\s+_(?P<machine>\w+)_)?(?:\s+\(\d+ CPU\))?\s*$"
)
CLOCK = re.compile(
    r"^(?P<hour>\d\d):(?P<minute>\d\d):(?P<second>\d\d)(?: (?P<half>[AaPp]\.?[Mm]\.?)(?=\s))?\s+(?P<rest>\S.*)$"
)
AVERAGE = re.compile(r"^(?:Average|Moyenne|Durchschn\.?|Media|Média|Gemiddelde?|Medel|Średnia|Среднее|Summary)\s?:?\s")
_YEAR_FIRST = re.compile(r"^(?P<year>\d{4})[-./年](?P<month>\d\d?)[-./月](?P<day>\d\d?)日?$")
_YEAR_LAST = re.compile(r"^(?P<first>\d\d?)(?P<by>[-./])(?P<second>\d\d?)[-./](?P<year>\d{4}|\d\d)$")
_DAY_OF_FILE = re.compile(r"(?:^|/)sar?(?P<day>\d\d)(?:$|[._-])")
_TITLE = re.compile(r"^[%A-Za-z#][\w%/+-]*$")
_DAY_NS = 86_400 * NS
_HALF_DAY_S = 43_200
_SHORT_TABLE = 10


@dataclass(slots=True)
class Line:
    """A line behind a time of day."""

    at: int
    wall_ns: int | None
    """The host's clock; None before a banner has told the date."""
    host: str | None
    cells: list[str]


def lines(document: Document) -> Iterator[Line]:
    """Lines that begin with a time; banners, averages and restarts are passed over as understood.

    The clock goes back at midnight, and where another table begins: behind an average, or, where those were cut out,
    at a heading that is new after a table of some length.
    """
    day: int | None = None
    host: str | None = None
    last = added = rows = 0
    headings: set[str] = set()
    twelve = any((found := CLOCK.match(line[:400])) and found["half"] for line in document.lines[:200])
    for at, line in enumerate(document.lines):
        if len(line) > 4096:
            continue
        if found := BANNER.match(line):
            host, day = found["host"], _day(document, found["date"], twelve)
            last = added = rows = 0
            headings.clear()
            document.skip(at)
        elif AVERAGE.match(line):
            last = added = rows = 0
            document.skip(at)
        elif "LINUX RESTART" in line[:80]:
            document.skip(at)
        elif found := CLOCK.match(line):
            second = _second(found)
            cells = found["rest"].split()
            if is_heading(cells):
                if found["rest"] not in headings and rows > _SHORT_TABLE:
                    last = added = rows = 0
                headings.add(found["rest"])
            else:
                rows += 1
            if second < last - _HALF_DAY_S:
                added += 1
            last = second
            yield Line(at, None if day is None else day + added * _DAY_NS + second * NS, host, cells)


def is_heading(cells: list[str]) -> bool:
    """Whether cells name columns."""
    return len(cells) > 1 and all(_TITLE.match(cell) for cell in cells)


def _second(found: re.Match[str]) -> int:
    hour = int(found["hour"])
    if found["half"]:
        hour = hour % 12 + (12 if found["half"][0] in "Pp" else 0)
    return (hour * 60 + int(found["minute"])) * 60 + int(found["second"])


def _day(document: Document, text: str, twelve: bool) -> int | None:
    """Midnight of the banner's date on the host's wall clock.

    Where month and day could change places, the file's name (``sar10``) decides, then a date with dots or
    12 hours, then which of the two is nearer before the time that the document was taken.
    """
    if found := _YEAR_FIRST.match(text):
        return local_ns(int(found["year"]), int(found["month"]), int(found["day"]))
    found = _YEAR_LAST.match(text)
    if not found:
        return None
    year = int(found["year"]) + (2000 if len(found["year"]) == 2 else 0)
    first, second = int(found["first"]), int(found["second"])
    month_first, day_first = local_ns(year, first, second), local_ns(year, second, first)
    if month_first is None or day_first is None or first == second:
        return day_first if month_first is None else month_first
    named = _DAY_OF_FILE.search(document.origin.source)
    if named and int(named["day"]) in (first, second):
        return month_first if int(named["day"]) == second else day_first
    if found["by"] == "." or twelve:
        return day_first if found["by"] == "." else month_first
    taken, _ = document.taken()
    if taken is not None:
        near = [day for day in (month_first, day_first) if abs(taken - day) <= 32 * _DAY_NS and day <= taken + _DAY_NS]
        if len(near) == 1:
            return near[0]
    return month_first
