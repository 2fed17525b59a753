"""Memory of a host as `sadf` exports it: `-d` (semicolons), `-p` (a line a figure), `-j` (JSON)."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from forensics.loaders.documents._document import Document, DocumentFormat, Head
from forensics.loaders.documents._wall import NS, epoch_ns, iso_wall, to_utc, told_zone
from forensics.records import ProcessMemory

_HEADING = re.compile(r"^#?\s?hostname;interval;timestamp;(?P<rest>\S.*)$")
_ROW = re.compile(r"^(?P<host>[^;\s]+);(?P<interval>-?\d+);(?P<stamp>[^;]{8,40});(?P<rest>.*)$")
_METRIC = re.compile(
    r"^(?P<host>\S+)\t(?P<interval>-?\d+)\t(?P<stamp>[^\t]{8,40})\t(?P<device>[^\t]*)\t(?P<name>[%\w/.-]+)\t(?P<value>-?[\d.,]+)\s*$"
)
_COLUMNS = {
    "kbmemfree": "free_bytes", "kbmemused": "used_bytes", "kbavail": "available_bytes", "kbbuffers": "buffers_bytes",
    "kbcached": "cached_bytes", "kbswpused": "swap_used_bytes",
}  # fmt: skip
_JSON = {
    "memfree": "kbmemfree", "avail": "kbavail", "memused": "kbmemused", "buffers": "kbbuffers", "cached": "kbcached",
    "swpfree": "kbswpfree", "swpused": "kbswpused",
}  # fmt: skip
_DEEPEST = 40


def _recognise(head: Head) -> float:
    first = head.first[:2048]
    if _HEADING.match(first):
        return 0.98
    if _METRIC.match(first) and head.share(_METRIC) >= 0.9:
        return 0.95
    return 0.98 if re.match(r'^\s*\{"sysstat": ?\{', " ".join(line.strip() for line in head.lines[:3])[:200]) else 0.0


def _read(document: Document) -> None:
    first = document.head.first
    rows = _json(document) if first.lstrip().startswith("{") else _text(document)
    moved = to_utc(document.origin, [None if utc else wall for *_, wall, utc in rows])
    if any(at is not None for at in moved):
        told_zone(document)
    for (at, count, values, wall, utc), local in zip(rows, moved, strict=True):
        ts = wall if utc else local
        stamp = {} if ts is None else {"ts": ts, "ts_basis": "stated"}
        document.add(ProcessMemory, at, count, tool="sadf", **values, **stamp)


Row = tuple[int, int, dict[str, Any], int | None, bool]


def _text(document: Document) -> list[Row]:
    columns: list[str] = []
    rows: list[Row] = []
    group: dict[str, str] = {}
    before: tuple[str, str] | None = None
    start = 0

    def end(at: int) -> None:
        if before is not None and (values := memory(group)):
            rows.append((start, at - start, values | {"host": before[0]}, *_stamp(before[1])))
        elif before is not None:
            document.skip(start, at - start)

    for at, line in enumerate(document.lines):
        line = line[:8192]
        if found := _METRIC.match(line):
            if (found["host"], found["stamp"]) != before:
                end(at)
                before, start, group = (found["host"], found["stamp"]), at, {}
            group[found["name"]] = found["value"]
            continue
        end(at)
        before = None
        if found := _HEADING.match(line):
            columns = found["rest"].split(";")
            document.skip(at)
        elif (found := _ROW.match(line)) and columns:
            values = memory(dict(zip(columns, found["rest"].split(";"), strict=False)))
            if values:
                rows.append((at, 1, values | {"host": found["host"]}, *_stamp(found["stamp"])))
            else:
                document.skip(at)
    end(len(document.lines))
    return rows


def memory(cells: Mapping[str, Any]) -> dict[str, Any]:
    """Columns of a row of figures by their headings; nothing where none of them is about memory."""
    told = {name: int(float(value)) for name, value in cells.items() if re.fullmatch(r"\d{1,15}(?:\.\d+)?", str(value))}
    values = {name: told[column] * 1024 for column, name in _COLUMNS.items() if column in told}
    if "kbmemfree" in told and "kbmemused" in told and "kbavail" not in told:
        values["total_bytes"] = (told["kbmemfree"] + told["kbmemused"]) * 1024
    if "kbswpfree" in told and "kbswpused" in told:
        values["swap_total_bytes"] = (told["kbswpfree"] + told["kbswpused"]) * 1024
    return values


def _stamp(text: str) -> tuple[int | None, bool]:
    """Nanoseconds since 1970, and whether they are UTC rather than the host's clock."""
    if text.isdecimal():
        return epoch_ns(text), True
    wall, offset = iso_wall(text)
    return (wall, False) if wall is None or offset is None else (wall - offset * NS, True)


def _json(document: Document) -> list[Row]:
    try:
        told = json.loads("\n".join(document.lines))
        hosts = told["sysstat"]["hosts"]
        entries = [(host, one) for host in hosts for one in host.get("statistics", []) if "timestamp" in one]
    except (ValueError, RecursionError, TypeError, KeyError, AttributeError):
        return []
    places = [at for at, line in enumerate(document.lines) for _ in range(line.count('"timestamp"'))]
    document.skip(0, len(document.lines))
    rows: list[Row] = []
    for (host, one), at in zip(entries, places, strict=False):
        figures = one.get("memory") if isinstance(one, dict) else None
        when = one.get("timestamp") if isinstance(one, dict) else None
        if not isinstance(figures, dict) or not isinstance(when, dict):
            continue
        values = memory({_JSON[name]: value for name, value in figures.items() if name in _JSON})
        wall, offset = iso_wall(f"{when.get('date')} {when.get('time')}")
        if values:
            universal = when.get("utc") == 1 or offset is not None
            rows.append((at, 1, values | {"host": str(host.get("nodename") or "") or None}, wall, universal))
    return rows


READERS = (
    DocumentFormat(
        name="sadf",
        records=(ProcessMemory,),
        reference="sysstat sadf.c, rndr_stats.c and json_stats.c, 9.0 to 12.7",
        recognise=_recognise,
        read=_read,
    ),
)
