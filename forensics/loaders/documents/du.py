"""Sizes of folders as `du` adds them up."""

from __future__ import annotations

import re
from typing import Any

from forensics.loaders.documents._document import Document, DocumentFormat, Head
from forensics.loaders.documents._figures import Figure, figure
from forensics.loaders.documents._places import absolute, flags, owners, typed
from forensics.loaders.documents._templates import option_value
from forensics.records import FileSize

_LINE = re.compile(
    r"^\s*(?P<size>\d+(?:[.,]\d+)?[kKMGTPEZY]?)(?:\t\d{4}-\d\d-\d\d [\d:.]{5,18}(?: [+-]\d{4})?)?\t\s*(?P<path>\S.*)$"
)
# pasted from where tabs are lost
_SPACED = re.compile(r"^\s*(?P<size>\d+(?:[.,]\d+)?[kKMGTPEZY]?)\s+(?P<path>[./~]\S*|total)$")
_ROUNDED = re.compile(r"^\s*(?:0|\d+(?:[.,]\d)?[kKMGTPEZY])\t\S")
_DECIMAL = re.compile(r"^\s*\d+(?:[.,]\d)?k\s")
"""Only a unit of 1000 is written small (human_readable of gnulib's human.c)."""
_TROUBLE = re.compile(r"^(?:\S*/)?du: ")


def _recognise(head: Head) -> float:
    if typed(head.command, "du") is not None:
        return 0.9 if head.share(_LINE) + head.share(_SPACED) + head.share(_TROUBLE) >= 0.5 else 0.0
    told = head.share(_ROUNDED)
    return 0.9 if told == 1.0 and any(re.match(r"\s*\S*[kKMGTPEZY]\t", line) for line in head.lines[:200]) else 0.0


def _read(document: Document) -> None:
    words = typed(document.head.command, "du") or []
    unit, apparent = _unit(words)
    decimal = "--si" in words or document.head.share(_DECIMAL) > 0
    rows: list[tuple[int, str, Figure]] = []
    for at, line in enumerate(document.lines):
        found = (_LINE.match(line) or _SPACED.match(line)) if len(line) < 8192 else None
        size = figure(found["size"].replace(",", "."), unit, decimal=decimal) if found else None
        if found and size is not None:
            rows.append((at, found["path"], size))
        elif _TROUBLE.match(line):
            document.skip(at)
    folders = {path.rpartition("/")[0] for _, path, _ in rows}
    in_units = "m" in flags(words) or unit > 1024
    for at, path, size in rows:
        if path == "total":
            kind, columns = "total", dict[str, str]()
        else:
            kind = "folder" if path in folders or path.endswith("/") or path == "." else "unknown"
            path = absolute(path.rstrip("/") or "/", document.origin.directory)
            columns = owners(path)
        low = max(size.low - unit + 1, 0) if in_units and size.low == size.high else size.low
        values: dict[str, Any] = {("size_bytes" if apparent else "allocated_bytes"): size.shown}
        if "--inodes" in words:
            values, low = {}, size.low
        else:
            values |= {"low_bytes": low, "high_bytes": size.high}
        document.add(FileSize, at, path=path, kind=kind, tool="du", **columns, **values)


def _unit(words: list[str]) -> tuple[int, bool]:
    """Octets of one unit, and whether sizes are apparent ones."""
    told = flags(words)
    given = option_value(words, "-B", "--block-size") or ""
    size = figure(given if given[:1].isdigit() else f"1{given}") if given else None
    if "b" in told or "--bytes" in words:
        return 1, True
    unit = size.shown if size else 1 << 20 if "m" in told else 1024
    return unit, "--apparent-size" in words


READERS = (
    DocumentFormat(
        name="du",
        records=(FileSize,),
        reference="GNU coreutils src/du.c, 5.0 to 9.7",
        recognise=_recognise,
        read=_read,
    ),
)
