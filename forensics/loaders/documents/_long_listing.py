"""Lines of `ls -l` and `find -ls`: mode, links, owner, size, date in many forms, name."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from forensics.loaders.documents._document import Document
from forensics.loaders.documents._figures import figure, whole
from forensics.loaders.documents._places import absolute, owners
from forensics.loaders.documents._wall import NS, iso_wall, local_ns, to_utc, to_wall, told_zone
from forensics.records import FileSize

LONGEST = 8192
"""A longer line is no entry of a folder: names have 255 octets, paths 4096."""
MODE = re.compile(
    r"^\s*(?:(?P<first>\d+(?:[.,]\d)?[kKMGTPE]?)\s+)?(?:(?P<second>\d+(?:[.,]\d)?[kKMGTPE]?)\s+)?"
    r"(?P<mode>[-dlbcpsDCMnP?][-rwxsStTlL?]{9})[.+@]?\s+(?P<links>\d+|\?)\s+(?P<rest>\S.*)$"
)
_MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "jan janv ene gen jän янв sty", "feb févr fév fev febr фев lut", "mar mär märz mars maa mrt мар",
            "apr avr abr avril апр kwi", "may mai maj mag mei май мая", "jun juin giu juni июн cze",
            "jul juil lug juli июл lip", "aug août ago aou авг sie", "sep sept set сен wrz", "oct okt ott out окт paź",
            "nov nob ноя lis", "dec dez déc dic des дек gru",
        ),
        1,
    )
    for name in names.split()
}  # fmt: skip
_SIZE = r"(?P<size>\d+(?:[.,]\d+)?[kKMGTPE]?|\d+,\s*\d+|\?)"
_CLOCK = r"(?P<hour>\d{1,2}):(?P<minute>\d\d)(?::(?P<second>\d\d))?"
_MONTH = r"(?P<month>[^\W\d]{3,6})\.?"
_FORMS = tuple(
    re.compile(rf"^(?P<who>.{{0,160}}?)(?:^|\s){_SIZE}\s+{form} (?P<name>.+)$")
    for form in (
        # --time-style=full-iso, long-iso, +%s; then the default in the C locale, and where the day comes first
        r"(?P<iso>\d{4}-\d\d-\d\d \d\d:\d\d(?::\d\d(?:[.,]\d+)?(?: [+-]\d{4})?)?)",
        r"(?P<epoch>1\d{9})(?:\.\d+)?",
        rf"{_MONTH}\s+(?P<day>\d{{1,2}})\s+(?:{_CLOCK}(?: (?P<year>\d{{4}}))?|(?P<only_year>\d{{4}}))",
        rf"(?P<day>\d{{1,2}})\.?\s+{_MONTH}\s+(?:{_CLOCK}|(?P<only_year>\d{{4}}))",
        rf"(?P<number>\d\d)-(?P<day>\d\d) {_CLOCK}",  # --time-style=iso, recent and old
        r"(?P<iso_day>\d{4}-\d\d-\d\d)\s?",
    )
)
_KINDS = {"-": "file", "d": "folder", "l": "link"}
_QUOTED = re.compile(r"^\s?(['\"])(.*)\1$")
_ESCAPED = re.compile(r"((?:\\[0-7]{3})+)|\\(.)")
_CONTROLS = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_DAY_NS = 86_400 * NS


class Listing:
    """Entries of one document; their dates are put into UTC at its end, all at once."""

    def __init__(self, document: Document, tool: str) -> None:
        self._document = document
        self._tool = tool
        taken, _ = document.taken()
        self._now = to_wall(document.origin, taken)
        self._rows: list[tuple[int, dict[str, Any]]] = []

    def add(self, at: int, folder: str | None, columns: dict[str, Any]) -> None:
        """Take an entry; its ``path`` is as printed, ``parts`` are those of its date."""
        written = columns["path"]
        kind = columns.get("kind") or ("folder" if written.endswith("/") else "unknown")
        path = absolute(written.rstrip("/") or "/", folder)
        self._rows.append((at, columns | owners(path) | {"path": path, "kind": kind, "tool": self._tool}))

    def finish(self) -> None:
        """Hand all entries to the document."""
        dates = [self._date(columns.pop("parts", {})) for _, columns in self._rows]
        moved = to_utc(self._document.origin, [None if utc else at for at, utc in dates])
        if any(at is not None for at in moved):
            told_zone(self._document)
        for (line, columns), (at, utc), local in zip(self._rows, dates, moved, strict=True):
            self._document.add(FileSize, line, **columns, modified_at=at if utc else local)

    def _date(self, parts: dict[str, str | None]) -> tuple[int | None, bool]:
        """A date as printed, and whether that is UTC."""
        if parts.get("epoch"):
            return int(parts["epoch"] or 0) * NS, True
        if stamp := parts.get("iso"):
            wall, offset = iso_wall(stamp)
            return (wall, False) if wall is None or offset is None else (wall - offset * NS, True)
        if stamp := parts.get("iso_day"):
            return local_ns(*(int(part) for part in stamp.split("-"))), False
        month = int(parts["number"] or 0) if parts.get("number") else _MONTHS.get((parts.get("month") or "").lower(), 0)
        day = int(parts.get("day") or 0)
        clock = [int(parts.get(name) or 0) for name in ("hour", "minute", "second")]
        year = parts.get("year") or parts.get("only_year")
        if year:
            return local_ns(int(year), month, day, *clock), False
        if self._now is None or not month:
            return None, False
        # ls leaves the year out of dates of the last six months only; a day's grace for clocks that differ
        this_year = datetime.fromtimestamp(self._now // NS, UTC).year
        for candidate in (this_year + 1, this_year, this_year - 1):
            at = local_ns(candidate, month, day, *clock)
            if at is not None and at <= self._now + _DAY_NS:
                return at, False
        return None, False


def long_line(line: str, told: str = "", decimal: bool = False) -> dict[str, Any] | None:
    """Columns of an entry, its path as printed, and the ``parts`` of its date; None where it is none.

    Args:
        line: One line.
        told: Letters of the options that were given; they say what a number before the mode is, and whether
            a character behind the name marks its kind.
        decimal: Whether K is 1000.
    """
    found = MODE.match(line)
    if not found:
        return None
    for form in _FORMS:
        if rest := form.match(found["rest"]):
            break
    else:
        return None
    parts = rest.groupdict()
    if parts.get("month") and (parts["month"] or "").lower() not in _MONTHS:
        return None
    mode = found["mode"][0]
    columns: dict[str, Any] = {"kind": _KINDS.get(mode, "other"), "links": whole(found["links"])}
    who = (parts["who"] or "").split()
    if who and not ("g" in told and len(who) == 1):
        columns["owner"] = who[0]
    columns |= _before(found["first"], found["second"], told, decimal)
    size = figure((parts["size"] or "").replace(",", "."), decimal=decimal) if mode not in "bc" else None
    if size is not None:
        columns |= {"size_bytes": size.shown, "low_bytes": size.low, "high_bytes": size.high}
    name = parts["name"] or ""
    if mode == "l" and " -> " in name:
        name, _, target = name.partition(" -> ")
        columns["target"] = _unquoted(target, told if "F" in told else told.replace("p", ""))
        told = told.replace("F", "").replace("p", "")
    columns["path"] = _unquoted(name, told)
    columns["parts"] = parts
    return columns


def _before(first: str | None, second: str | None, told: str, decimal: bool) -> dict[str, Any]:
    """Inode and blocks, which stand before the mode in this order; which one a lone number is, the options tell."""
    inode, blocks = (first, second) if second else (None, None)
    if first and not second:
        if "s" in told or not first.isdecimal():
            blocks = first
        elif "i" in told:
            inode = first
    size = figure(blocks.replace(",", "."), 1024, decimal=decimal) if blocks else None
    said: dict[str, Any] = {"inode": whole(inode)} if inode else {}
    if size is not None:
        said |= {"allocated_bytes": size.shown, "low_bytes": size.low, "high_bytes": size.high}
    return said


def unescaped(text: str) -> str:
    r"""What C escapes stand for: octets that do not print in a locale, one by one in octal, and a few characters.

    Examples:
        >>> unescaped(r"a\ b\303\274\"")
        'a bü"'
    """
    return _ESCAPED.sub(_plain, text)


def _plain(found: re.Match[str]) -> str:
    if found[1]:
        octets = bytes(int(octal, 8) & 255 for octal in found[1][1:].split("\\"))
        return octets.decode("utf-8", "backslashreplace")
    return _CONTROLS.get(found[2], str(found[2]))


def _unquoted(name: str, told: str) -> str:
    if found := _QUOTED.match(name.rstrip("/*@|=") if "F" in told or "p" in told else name):
        return unescaped(found[2]) if found[1] == '"' and "Q" in told else found[2].replace("'\\''", "'")
    if ("F" in told or "p" in told) and name[-1:] in "/*@|=" and len(name) > 1:
        return name[:-1]
    return name.rstrip("/") if len(name) > 1 else name
