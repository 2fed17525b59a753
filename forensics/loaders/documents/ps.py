"""Processes and their memory as `ps` lists them, with the columns that its heading names."""

from __future__ import annotations

import re
from typing import Any

from forensics.loaders.documents._document import Document, DocumentFormat, Head
from forensics.loaders.documents._figures import whole
from forensics.loaders.documents._instants import instant_of
from forensics.loaders.documents._places import LEFT_OUT
from forensics.loaders.documents._processes import command_line, duration_s, program, started
from forensics.loaders.documents._wall import NS, to_utc, to_wall, told_zone
from forensics.records import ProcessMemory

_HEADING = re.compile(
    r"^\s*(?=.*\bPID\b)(?=.*(?:\b(?:RSS|VSZ|CMD|COMMAND|SIZE|ELAPSED|STIME|STARTED|RSZ)\b|%MEM))(?:[A-Z%][\w%+/-]*\s+){2,}[A-Z%]\w*\s*$"
)
_AUX = re.compile(
    r"^\S+\s+\d+\s+\d+(?:\.\d)?\s+\d+(?:\.\d)?\s+\d+\s+\d+\s+\S+\s+[DIRSTtWXZ][<NLsl+]*\s+\S+\s+\d+:\d\d\s+\S"
)
_FULL = re.compile(
    r"^\S+\s+\d+\s+\d+\s+\d+\s+(?:\d\d:\d\d|[A-Z][a-z]{2}\d\d|\d{4})\s+\S+\s+(?:\d+-)?\d\d:\d\d:\d\d\s+\S"
)
_AUX_COLUMNS = ["USER", "PID", "%CPU", "%MEM", "VSZ", "RSS", "TTY", "STAT", "START", "TIME", "COMMAND"]
_FULL_COLUMNS = ["UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"]
_COMMANDS = frozenset(("COMMAND", "CMD", "ARGS"))
_NAMES = frozenset(("COMM", "UCMD", "UCOMM"))
_WEEKDAY = re.compile(r"^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)$")
_LONGEST = 131_072


def _recognise(head: Head) -> float:
    lines = [line for line in head.lines if line.strip() and not LEFT_OUT.match(line[:80])][:50]
    if any(_HEADING.match(line[:400]) for line in lines[:3]):
        return 0.95
    own = sum(1 for line in lines if _AUX.match(line[:4096]) or _FULL.match(line[:4096]))
    return 0.9 if lines and own == len(lines) else 0.0


def _read(document: Document) -> None:
    taken, _ = document.taken()
    now, stated = taken, None
    columns: list[str] = []
    rows: list[tuple[int, dict[str, Any], int | None]] = []
    for at, line in enumerate(document.lines):
        if _HEADING.match(line[:400]):
            columns = line.split()
            document.skip(at)
        elif LEFT_OUT.match(line[:80]):
            document.skip(at)
        elif (said := instant_of(line[:80], document.origin.zone)) is not None:
            now = stated = said
            document.skip(at)
        elif line.strip() and len(line) <= _LONGEST:
            named = columns or (_AUX_COLUMNS if _AUX.match(line) else _FULL_COLUMNS if _FULL.match(line) else [])
            if told := _cells(line, named):
                values, wall = _row(told, now, to_wall(document.origin, now))
                rows.append((at, values | ({} if stated is None else {"ts": stated, "ts_basis": "stated"}), wall))
    moved = to_utc(document.origin, [wall for _, _, wall in rows])
    if any(at is not None for at in moved):
        told_zone(document)
    for (at, values, wall), utc in zip(rows, moved, strict=True):
        values = values if wall is None else values | {"started_at": utc}
        document.add(ProcessMemory, at, tool="ps", **values)


def _cells(line: str, columns: list[str]) -> dict[str, str] | None:
    """Cells by heading; the last one holds the rest of the line."""
    if not columns:
        return None
    cells: dict[str, str] = {}
    rest = line.strip()
    for column in columns[:-1]:
        cell, _, rest = rest.partition(" ")
        rest = rest.lstrip()
        if column == "STARTED" and _WEEKDAY.match(cell):
            more = rest.split(None, 4)
            cell, rest = " ".join([cell, *more[:4]]), more[4] if len(more) > 4 else ""
        cells[column] = cell
    cells[columns[-1]] = rest
    return cells if whole(cells.get("PID")) is not None and rest else None


def _row(cells: dict[str, str], now: int | None, wall: int | None) -> tuple[dict[str, Any], int | None]:
    command = next((cells[name] for name in cells if name in _COMMANDS), None)
    name = next((cells[name] for name in cells if name in _NAMES), None)
    line = command_line(command) if command else None
    resident = cells.get("RSS") or cells.get("RSZ")
    virtual = cells.get("VSZ")
    began = next((cells[name] for name in ("START", "STIME", "STARTED") if name in cells), "")
    age = cells.get("ELAPSED", "")
    seconds = whole(age)
    age_s = duration_s(age) if seconds is None else float(seconds)
    values: dict[str, Any] = {
        "process": name or (program(line) if line else None),
        "pid": int(cells["PID"]),
        "user": cells.get("USER") or cells.get("UID") or cells.get("EUSER") or cells.get("RUSER"),
        "command": line,
        "resident_bytes": _kib(resident),
        "virtual_bytes": _kib(virtual) if virtual else _pages(cells.get("SZ")),
        "memory_share": _share(cells.get("%MEM")),
        "cpu_share": _share(cells.get("%CPU")),
        "cpu_s": duration_s(cells.get("TIME", "")),
    }
    if age_s is not None and now is not None:
        values["started_at"] = now - int(age_s) * NS
        return values, None
    return values, started(began, wall)


def _kib(text: str | None) -> int | None:
    return int(text) * 1024 if text and text.isdecimal() and len(text) < 16 else None


def _pages(text: str | None) -> int | None:
    return int(text) * 4096 if text and text.isdecimal() and len(text) < 15 else None


def _share(text: str | None) -> float | None:
    return round(float(text) / 100, 6) if text and re.fullmatch(r"\d{1,7}(?:\.\d{1,3})?", text) else None


READERS = (
    DocumentFormat(
        name="ps",
        records=(ProcessMemory,),
        reference="procps ps/output.c, 3.2 to 4.0",
        recognise=_recognise,
        read=_read,
    ),
)
