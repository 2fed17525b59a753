"""Memory of a host over a day as `sar` prints it; its other tables are known and passed over."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from forensics.loaders.documents._document import Document, DocumentFormat, Head
from forensics.loaders.documents._sysstat import AVERAGE, BANNER, CLOCK, is_heading, lines
from forensics.loaders.documents._wall import to_utc, told_zone
from forensics.records import ProcessMemory

_COLUMNS = {
    "kbmemfree": "free_bytes", "kbmemused": "used_bytes", "kbavail": "available_bytes", "kbbuffers": "buffers_bytes",
    "kbcached": "cached_bytes", "kbswpused": "swap_used_bytes",
}  # fmt: skip
_NUMBER = re.compile(r"^\d{1,15}$")


def _recognise(head: Head) -> float:
    told = [line[:4096] for line in head.lines if line.strip()]
    if not told:
        return 0.0
    shape = [line for line in told[:100] if BANNER.match(line) or CLOCK.match(line) or AVERAGE.match(line)]
    processes = any(re.search(r"\bPID\b.*\b(?:RSS|Command|kB_rd/s)\b", line) for line in told[:20])
    if BANNER.match(told[0]) and len(shape) >= 0.8 * len(told[:100]) and not processes:
        return 0.96
    return 0.95 if _titles(told[0]) and len(shape) == len(told[:100]) else 0.0


def _titles(line: str) -> bool:
    found = CLOCK.match(line)
    return bool(found) and "kbmemfree" in line


def memory(cells: Mapping[str, str], unit: int = 1024) -> dict[str, Any]:
    """Columns of a row of figures by their headings; nothing where none of them is about memory."""
    values: dict[str, Any] = {
        name: int(cells[column]) * unit for column, name in _COLUMNS.items() if _NUMBER.match(cells.get(column, ""))
    }
    free, used = cells.get("kbmemfree", ""), cells.get("kbmemused", "")
    if _NUMBER.match(free) and _NUMBER.match(used) and "kbavail" not in cells:
        values["total_bytes"] = (int(free) + int(used)) * unit  # since 11.7.1 buffers and cache are not in use
    free, used = cells.get("kbswpfree", ""), cells.get("kbswpused", "")
    if _NUMBER.match(free) and _NUMBER.match(used):
        values["swap_total_bytes"] = (int(free) + int(used)) * unit
    return values


def _read(document: Document) -> None:
    columns: list[str] = []
    rows: list[tuple[int, dict[str, Any], int | None]] = []
    for line in lines(document):
        if is_heading(line.cells):
            columns = line.cells
            document.skip(line.at)
            continue
        told = dict(zip(columns, line.cells, strict=False)) if len(line.cells) == len(columns) else {}
        values = memory(told)
        if values:
            rows.append((line.at, values | ({"host": line.host} if line.host else {}), line.wall_ns))
        elif columns:
            document.skip(line.at)
    moved = to_utc(document.origin, [wall for _, _, wall in rows])
    if any(at is not None for at in moved):
        told_zone(document)
    for (at, values, _), ts in zip(rows, moved, strict=True):
        stamp = {} if ts is None else {"ts": ts, "ts_basis": "stated"}
        document.add(ProcessMemory, at, tool="sar", **values, **stamp)


READERS = (
    DocumentFormat(
        name="sar",
        records=(ProcessMemory,),
        reference="sysstat pr_stats.c, 9.0 to 12.7",
        recognise=_recognise,
        read=_read,
    ),
)
