"""Memory of a host, sample by sample, as `vmstat` prints it."""

from __future__ import annotations

import re
from typing import Any

from forensics.clocks import is_zone
from forensics.loaders.documents._document import Document, DocumentFormat, Head
from forensics.loaders.documents._instants import instant_of
from forensics.loaders.documents._places import typed
from forensics.loaders.documents._templates import option_value, words_of
from forensics.loaders.documents._wall import iso_wall, to_utc, told_zone
from forensics.records import ProcessMemory

_RULE = re.compile(r"^[\s-]{0,8}(?:procs|kthr)[ -]*memory")
_HEADING = re.compile(r"^\s*r\s+b\s+swpd\s+free\s+(?P<rest>[\w\s]+?)\s*$")
_ROW = re.compile(r"^\s*\d+(?:\s+\d+){12,20}(?:\s+(?P<stamp>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d))?\s*$")
_COLUMNS = {"swpd": "swap_used_bytes", "free": "free_bytes", "buff": "buffers_bytes", "cache": "cached_bytes"}
_UNITS = {"k": 1000, "K": 1024, "m": 1_000_000, "M": 1 << 20}
_SUM = re.compile(r"^\s*(?P<size>\d{1,15}) (?P<unit>[KkMm]|bytes)? ?(?P<what>[a-zA-Z][a-zA-Z -]+)$")
_SUMS = {
    "total memory": "total_bytes", "used memory": "used_bytes", "free memory": "free_bytes",
    "buffer memory": "buffers_bytes", "swap cache": "cached_bytes", "total swap": "swap_total_bytes",
    "used swap": "swap_used_bytes",
}  # fmt: skip


def _recognise(head: Head) -> float:
    lines = [line[:400] for line in head.lines if line.strip()][:4]
    if any(_HEADING.match(line) for line in lines) and any(_RULE.match(line) for line in lines):
        return 0.97
    found = _SUM.match(lines[0]) if len(lines) > 2 else None
    return 0.95 if found and found["what"] == "total memory" and head.share(_SUM) >= 0.9 else 0.0


def _read(document: Document) -> None:
    words = words_of(document.head.command or "") if typed(document.head.command, "vmstat") is not None else []
    unit = _UNITS.get(option_value(words, "-S", "--unit") or "K", 1024)
    columns: list[str] = []
    rows: list[tuple[int, dict[str, Any], int | None]] = []
    sums: dict[str, int] = {}
    summed: list[int] = []
    zone = stated = None
    for at, line in enumerate(document.lines):
        line = line[:400]
        if _RULE.match(line):
            document.skip(at)
        elif found := _HEADING.match(line):
            columns = line.split()
            zone = columns[-1] if columns[-1].isupper() else zone
            document.skip(at)
        elif columns and (found := _ROW.match(line)):
            cells = dict(zip(columns, line.split(), strict=False))
            values: dict[str, Any] = {
                name: int(cells[column]) * unit for column, name in _COLUMNS.items() if column in cells
            }
            wall, _ = iso_wall(found["stamp"])
            if wall is None and stated is not None:
                values |= {"ts": stated, "ts_basis": "stated"}
            rows.append((at, values, wall))
        elif not columns and (found := _SUM.match(line)):
            size = int(found["size"]) * (1 if found["unit"] == "bytes" else _UNITS.get(found["unit"] or "K", 1024))
            if found["what"] in _SUMS:
                sums[_SUMS[found["what"]]] = size
            summed.append(at)
        elif (said := instant_of(line[:80], document.origin.zone)) is not None:
            stated = said
            document.skip(at)
    if sums:
        document.add(ProcessMemory, summed[0], summed[-1] - summed[0] + 1, tool="vmstat", **sums)
    _stamped(document, rows, zone)


def _stamped(document: Document, rows: list[tuple[int, dict[str, Any], int | None]], zone: str | None) -> None:
    """Rows with the time that `-t` prints; the heading names its zone, of which only UTC is no abbreviation."""
    universal = zone in ("UTC", "GMT") and zone is not None and is_zone(zone)
    walls = [wall for _, _, wall in rows]
    moved = walls if universal else to_utc(document.origin, walls)
    if any(wall is not None for wall in walls) and not universal:
        told_zone(document)
    for (at, values, _), ts in zip(rows, moved, strict=True):
        stamp = {} if ts is None else {"ts": ts, "ts_basis": "stated"}
        document.add(ProcessMemory, at, tool="vmstat", **values, **stamp)


READERS = (
    DocumentFormat(
        name="vmstat",
        records=(ProcessMemory,),
        reference="procps vmstat.c, 3.2 to 4.0",
        recognise=_recognise,
        read=_read,
    ),
)
