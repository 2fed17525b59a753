"""Memory of a host and of its processes as `top -b` prints it, screen by screen."""

from __future__ import annotations

import re
from itertools import accumulate, pairwise
from typing import Any

from forensics.loaders.documents._document import Document, DocumentFormat, Head
from forensics.loaders.documents._figures import figure, whole
from forensics.loaders.documents._instants import instant_of
from forensics.loaders.documents._processes import command_line, duration_s, program, started
from forensics.loaders.documents._wall import NS, to_utc, to_wall, told_zone
from forensics.records import ProcessMemory

_FIRST = re.compile(r"^top - (?P<clock>\d\d:\d\d:\d\d) up .*load average")
_MEMORY = re.compile(r"^(?:(?P<unit>[KMGTPE]iB|B|[kmgt]b?) )?(?P<what>Mem|Swap) ?:\s*(?P<rest>[\d.,+]+.*)$")
_PART = re.compile(
    r"(?P<size>[\d.]+)\+?\s*(?P<unit>[kKmMgGtT]?)\s+(?P<what>total|used|free|buffers|cached|buff/cache|avail)"
)
_HEADING = re.compile(r"^\s*PID\s+USER\s.*\bRES\b.*\bCOMMAND\s*$")
_IDLE = re.compile(r"^(?:Tasks|Threads|%?Cpu(?:\(s\)|\d*)?)\s*[:\d]")
_MEM = {
    "total": "total_bytes", "used": "used_bytes", "free": "free_bytes", "buffers": "buffers_bytes",
    "cached": "cached_bytes", "buff/cache": "cached_bytes", "avail": "available_bytes",
}  # fmt: skip
_SWAP = {"total": "swap_total_bytes", "used": "swap_used_bytes", "cached": "cached_bytes", "avail": "available_bytes"}

_DAY_NS = 86_400 * NS
_NAMED_DAY = re.compile(r"\d\d\.(?:txt|log|out|top|lst|dat)(?:\.(?:gz|xz|bz2|zst|lz4))?$")
"""A date that an extension follows was put there when the file was begun; logrotate's ``dateext`` comes at the end."""


def _recognise(head: Head) -> float:
    return 0.97 if any(_FIRST.match(line[:300]) for line in [one for one in head.lines if one.strip()][:2]) else 0.0


def _read(document: Document) -> None:
    now = None
    rows: list[tuple[int, int, dict[str, Any], int | None]] = []
    host: dict[str, Any] = {}
    columns: list[str] = []
    start, wall = -1, None
    unsaid = iter(_undated(document))
    for at, line in enumerate(document.lines):
        line = line[:65_536]
        if found := _FIRST.match(line[:300]):
            own = next(unsaid)
            wall = own if now is None else started(found["clock"], now)
            host, start, columns = {}, at, []
        elif start >= 0 and (found := _MEMORY.match(line[:300])):
            host |= _memory(found)
        elif start >= 0 and _IDLE.match(line):
            continue
        elif start >= 0 and _HEADING.match(line[:300]):
            rows.append((start, at - start + 1, host, wall))
            columns = line.split()
        elif columns and (values := _process(line, columns)):
            rows.append((at, 1, values, wall))
        elif (said := instant_of(line[:80], document.origin.zone)) is not None:
            now = to_wall(document.origin, said)
            document.skip(at)
    moved = to_utc(document.origin, [wall for *_, wall in rows])
    if any(at is not None for at in moved):
        told_zone(document)
    for (at, count, values, _), ts in zip(rows, moved, strict=True):
        stamp = {} if ts is None else {"ts": ts, "ts_basis": "stated"}
        document.add(ProcessMemory, at, count, tool="top", **values, **stamp)


def _undated(document: Document) -> list[int | None]:
    """When each screen was shown on the host's wall clock, where no line but the screen's own tells.

    A screen has a time of day alone; in the order of the file, a step back of more than half a day is a midnight.
    A date inside the file's name is the day on which the listing began; one at its end is that of a rotation, which
    like any other instant by which the file was there came after the last screen.
    """
    clocks = [
        sum(int(part) * size for part, size in zip(found["clock"].split(":"), (3600, 60, 1), strict=True)) * NS
        for line in document.lines
        if (found := _FIRST.match(line[:300]))
    ]
    days = [0, *accumulate(int(later < before - _DAY_NS // 2) for before, later in pairwise(clocks))]
    origin = document.origin
    named = _NAMED_DAY.search(origin.source) is not None and origin.taken()[1] == "file-name"
    if named and origin.rotated_on is not None:
        first = origin.rotated_on // _DAY_NS * _DAY_NS
    else:
        now = to_wall(origin, document.taken()[0])
        if now is None or not clocks:
            return [None] * len(clocks)
        first = (now - clocks[-1]) // _DAY_NS * _DAY_NS - days[-1] * _DAY_NS
    return [first + day * _DAY_NS + clock for day, clock in zip(days, clocks, strict=False)]


def _memory(found: re.Match[str]) -> dict[str, int]:
    names = _MEM if found["what"] == "Mem" else _SWAP
    values: dict[str, int] = {}
    for part in _PART.finditer(found["rest"].replace(",", " ")):
        letter = part["unit"].upper() or (found["unit"] or "K")[0].upper()
        size = figure(part["size"] + ("" if letter == "B" else letter), up=False)
        if part["what"] in names and size is not None:
            values[names[part["what"]]] = size.shown
    return values


def _process(line: str, columns: list[str]) -> dict[str, Any] | None:
    cells = line.split(None, len(columns) - 1)
    told = dict(zip(columns, cells, strict=False))
    if len(cells) < len(columns) or whole(told["PID"]) is None:
        return None
    command = command_line(cells[-1])
    resident, virtual = (_size(told.get(name)) for name in ("RES", "VIRT"))
    return {
        "process": program(command),
        "pid": int(told["PID"]),
        "user": told.get("USER"),
        "command": command,
        "resident_bytes": resident,
        "virtual_bytes": virtual,
        "memory_share": _share(told.get("%MEM")),
        "cpu_share": _share(told.get("%CPU")),
        "cpu_s": duration_s(told.get("TIME+") or told.get("TIME") or ""),
    }


def _size(text: str | None) -> int | None:
    size = figure(text.replace(",", ".").upper(), 1024, up=False) if text else None
    return size.shown if size else None


def _share(text: str | None) -> float | None:
    plain = (text or "").replace(",", ".")
    return round(float(plain) / 100, 6) if re.fullmatch(r"\d{1,7}(?:\.\d{1,3})?", plain) else None


READERS = (
    DocumentFormat(
        name="top",
        records=(ProcessMemory,),
        reference="procps top/top.c, 3.2 to 4.0",
        recognise=_recognise,
        read=_read,
    ),
)
