"""Memory of processes, sample by sample, as `pidstat -r` prints it."""

from __future__ import annotations

import re
from typing import Any

from forensics.loaders.documents._document import Document, DocumentFormat, Head
from forensics.loaders.documents._processes import command_line, program
from forensics.loaders.documents._sysstat import BANNER, lines
from forensics.loaders.documents._wall import epoch_ns, to_utc, told_zone
from forensics.records import ProcessMemory

_HEADING = re.compile(r"^(?:#\s*Time|\S+(?: [AP]M)?)\s+(?:UID|USER)?\s*T?PID\s.*\bCommand\s*$")
_EPOCH_ROW = re.compile(r"^\s*(?P<epoch>1\d{9}(?:\.\d+)?)\s+\d")


def _recognise(head: Head) -> float:
    told = [line[:2048] for line in head.lines if line.strip()][:6]
    return 0.97 if told and BANNER.match(told[0]) and any(_HEADING.match(line) for line in told[1:]) else 0.0


def _read(document: Document) -> None:
    hashed = next(
        (line[1:].split() for line in document.lines[:50] if line.startswith("#") and "PID" in line[:200]), []
    )
    columns = hashed[1:] if hashed[:1] == ["Time"] else hashed  # -h: a hash before the heading, and no heading again
    host: str | None = None
    rows: list[tuple[int, dict[str, Any], int | None, bool]] = []
    for line in lines(document):
        host = line.host or host
        if "PID" in line.cells and "Command" in line.cells:
            columns = line.cells
            document.skip(line.at)
        elif values := _row(line.cells, columns):
            rows.append((line.at, values | {"host": line.host}, line.wall_ns, False))
        elif columns and "RSS" not in columns:
            document.skip(line.at)
    columns = hashed
    for at, text in enumerate(document.lines):
        if found := BANNER.match(text[:400]):
            host = found["host"]
        elif text.startswith("#") and "PID" in text[:200]:
            document.skip(at)
        elif (stamp := _EPOCH_ROW.match(text)) and (values := _row(text[:8192].split(), columns)):
            rows.append((at, values | {"host": host}, epoch_ns(stamp["epoch"]), True))
    moved = to_utc(document.origin, [None if utc else wall for *_, wall, utc in rows])
    if any(at is not None for at in moved):
        told_zone(document)
    for (at, values, wall, utc), local in sorted(zip(rows, moved, strict=True), key=lambda row: row[0][0]):
        ts = wall if utc else local
        stamped = {} if ts is None else {"ts": ts, "ts_basis": "stated"}
        document.add(ProcessMemory, at, tool="pidstat", **values, **stamped)


def _row(cells: list[str], columns: list[str]) -> dict[str, Any] | None:
    """A process by its headings; the last column may have blanks."""
    if not {"RSS", "Command"} <= set(columns) or len(cells) < len(columns):
        return None
    told = dict(zip(columns[:-1], cells, strict=False)) | {columns[-1]: " ".join(cells[len(columns) - 1 :])}
    if not all(re.fullmatch(r"\d{1,15}", told.get(name, "")) for name in ("PID", "RSS", "VSZ")):
        return None
    command = command_line(told["Command"].removeprefix("|__"))
    return {
        "process": program(command),
        "pid": int(told["PID"]),
        "user": told.get("USER") or told.get("UID"),
        "command": command,
        "resident_bytes": int(told["RSS"]) * 1024,
        "virtual_bytes": int(told["VSZ"]) * 1024,
        "memory_share": _share(told.get("%MEM")),
        "cpu_share": _share(told.get("%CPU")),
    }


def _share(text: str | None) -> float | None:
    plain = (text or "").replace(",", ".")
    return round(float(plain) / 100, 6) if re.fullmatch(r"\d{1,7}(?:\.\d{1,3})?", plain) else None


READERS = (
    DocumentFormat(
        name="pidstat",
        records=(ProcessMemory,),
        reference="sysstat pidstat.c, 9.0 to 12.7",
        recognise=_recognise,
        read=_read,
    ),
)
