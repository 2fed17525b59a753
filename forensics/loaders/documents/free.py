"""Memory of a host as `free` shows it, with buffers and cache apart or together."""

from __future__ import annotations

import re
from typing import Any

from forensics.loaders.documents._document import Document, DocumentFormat, Head
from forensics.loaders.documents._figures import figure, whole
from forensics.loaders.documents._instants import instant_of
from forensics.loaders.documents._places import flags, typed
from forensics.records import ProcessMemory

_HEADING = re.compile(r"^\s+total\s+used\s+free(?:\s+(?:shared|buffers?|cached?|buff/cache|available))*\s*$")
_ROW = re.compile(
    r"^(?P<what>Mem|Swap|Total|Low|High|Comm|-/\+ buffers/cache): {0,40}"
    r"(?P<cells>[\d.,]+[KMGTPiB]*(?: +[\d.,]+[KMGTPiB]*)*)\s*$"
)
_MEM = {
    "total": "total_bytes", "used": "used_bytes", "free": "free_bytes", "buffers": "buffers_bytes",
    "cached": "cached_bytes", "cache": "cached_bytes", "buff/cache": "cached_bytes", "available": "available_bytes",
}  # fmt: skip
_SWAP = {"total": "swap_total_bytes", "used": "swap_used_bytes"}
_UNITS = {"b": 1, "k": 1024, "m": 1 << 20, "g": 1 << 30}
_LEAST_KIB = 2_000_000
"""A host of a cloud has at least 2 GB, and less than 2 TB of memory where the figure is in MiB."""


def _recognise(head: Head) -> float:
    lines = [line[:400] for line in head.lines if line.strip()][:6]
    headed = any(_HEADING.match(line) for line in lines[:3])
    return 0.97 if headed and any(_ROW.match(line) for line in lines) else 0.0


def _read(document: Document) -> None:
    words = typed(document.head.command, "free")
    told = flags(words)
    unit = next((_UNITS[letter] for letter in told if letter in _UNITS), 1024 if words is not None else None)
    long = {"--bytes": 1, "--kibi": 1024, "--mebi": 1 << 20, "--gibi": 1 << 30, "--mega": 10**6, "--kilo": 1000}
    unit = next((long[word] for word in words or () if word in long), unit)
    columns: list[str] = []
    start, values, stated = -1, dict[str, Any](), None

    def end(last: int) -> None:
        if start >= 0 and values:
            stamp: dict[str, Any] = {} if stated is None else {"ts": stated, "ts_basis": "stated"}
            document.add(ProcessMemory, start, last - start, tool="free", **values, **stamp)

    last = 0
    for at, line in enumerate(document.lines):
        line = line[:400]
        if _HEADING.match(line):
            end(last)
            columns, start, values, last = line.split(), at, {}, at + 1
        elif (found := _ROW.match(line)) and columns:
            cells = found["cells"].split()
            total = whole(cells[0])
            if unit is None and found["what"] == "Mem" and total is not None:
                unit = 1 << 20 if total < _LEAST_KIB else 1024 if total < 1 << 32 else 1
                document.facts["note"] = f"unit of free taken to be {unit} octets: its command line is not known"
            names = {"Mem": _MEM, "Swap": _SWAP}.get(found["what"], {})
            for column, cell in zip(columns, cells, strict=False):
                size = figure(cell.replace(",", "."), unit or 1024, up=False)
                if column in names and size is not None:
                    values[names[column]] = size.shown
            last = at + 1
        elif (said := instant_of(line[:80], document.origin.zone)) is not None:
            end(last)
            start, values, stated, columns = -1, {}, said, []
            document.skip(at)
    end(last)


READERS = (
    DocumentFormat(
        name="free",
        records=(ProcessMemory,),
        reference="procps free.c, 3.2 to 4.0 (the columns changed with 3.3.10)",
        recognise=_recognise,
        read=_read,
    ),
)
