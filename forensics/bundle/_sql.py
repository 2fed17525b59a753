"""Dumps of databases: the statements around chosen rows, and the row numbers that names of instances are made of."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from forensics.bundle._pseudonyms import Pseudonyms

_CREATE = re.compile(rb"CREATE TABLE (?:IF NOT EXISTS )?([^\s(]+)", re.IGNORECASE)
_INSERT = re.compile(rb"INSERT (?:IGNORE )?INTO ([^\s(]+)\s*(\([^)]*\))?\s*VALUES\s*", re.IGNORECASE)
_COPY = re.compile(rb"COPY ([^\s(]+)\s*(\([^)]*\))? FROM stdin;", re.IGNORECASE)
_AROUND = re.compile(rb"--|/\*|SET |USE |\\connect|CREATE DATABASE|CREATE SCHEMA|SELECT pg_", re.IGNORECASE)
_COLUMN = re.compile(rb"^\s+[`\"]?(\w+)[`\"]?\s+\w")
_NO_COLUMN = frozenset((b"primary", b"unique", b"key", b"constraint", b"foreign", b"fulltext", b"check", b"index"))
_CELL = re.compile(rb"'(?:[^'\\]|\\.|'')*'|[^,()'\s][^,()']*", re.DOTALL)
_ROW = re.compile(rb"\((?:'(?:[^'\\]|\\.|'')*'|[^()'])*\)", re.DOTALL)
_HEAD_BYTES = 1 << 16
_NUMBERED = {b"instances": (b"id",), b"s3_images": (b"id",), b"instance_id_mappings": (b"id",)}
"""Tables of nova whose key is in ``instance-%08x``, ``ami-%08x`` and ``i-%08x``."""
_SECRET = (b"user_data", b"key_data", b"admin_pass", b"password", b"access_key", b"secret_key", b"connection_info")


def bare(name: bytes) -> bytes:
    """A table's name without quotes and schema."""
    return name.replace(b"`", b"").replace(b'"', b"").rpartition(b".")[2].lower()


@dataclass(slots=True)
class Around:
    """Gathers what a dump says around chosen rows while its lines go by, and writes the rows between."""

    offsets: Sequence[int]
    """Where the chosen rows start, in order."""
    _table: bytes = b""
    _tables: dict[bytes, bytes] = field(default_factory=dict)
    _open: bytes = b""
    _head: bytes = b""
    _ended: bytes = b""

    def lines(self, lines: Iterator[tuple[int, bytes]]) -> Iterator[tuple[bytes, int | None]]:
        """Lines of the dump as ``(offset, octets)`` → what to write, and the offset of the row that is to follow."""
        waiting = list(self.offsets)
        seen = False
        for offset, line in lines:
            head = line[:_HEAD_BYTES]
            if self._open:
                self._tables[self._open] += line
                self._open = b"" if head.rstrip().endswith(b";") else self._open
                continue
            if found := _CREATE.match(head):
                self._tables[found[1]] = line
                self._open = b"" if head.rstrip().endswith(b";") else found[1]
                seen = True
            elif found := _INSERT.match(head) or _COPY.match(head):
                yield self._close(), None
                self._table, self._head = found[1], found[0]
            elif not seen and _AROUND.match(head):
                seen = b"Table structure for" in head
                yield b"" if seen else line, None
            while waiting and offset <= waiting[0] < offset + len(line):
                yield self._before(), waiting.pop(0)
            if head.startswith((b"-- Dump completed", b"-- PostgreSQL database dump complete")):
                yield self._close() + line, None
        yield self._close(), None

    def _before(self) -> bytes:
        if self._ended:
            return b"\n" if self._ended.startswith(b"\\") else b",\n"
        copy = self._head[:4].upper() == b"COPY"
        self._ended = b"\\.\n" if copy else b";\n"
        return self._tables.pop(self._table, b"") + self._head.rstrip() + b"\n"

    def _close(self) -> bytes:
        ended, self._ended = self._ended, b""
        return (b"\n" if ended.startswith(b"\\") else b"") + ended


def row_of(raw: bytes) -> bytes:
    """A row alone, without the head of its statement and what stands between rows."""
    found = _INSERT.match(raw)
    if found is not None:
        raw = raw[found.end() :]
    return raw.rstrip(b"\r\n") if not raw.lstrip().startswith(b"(") else raw.strip(b" \t\r\n,;")


class Numbers:
    """Replaces row numbers that names are made of, and what users' secrets are in, as the lines of a dump go by."""

    def __init__(self, own: Pseudonyms | None, *, mask: bool) -> None:
        self._own = own
        self._mask = mask
        self._columns: dict[bytes, list[bytes]] = {}
        self._create: bytes | None = None
        self._into: bytes = b""
        self._copy = False

    def __call__(self, line: bytes) -> bytes:
        """A line as it may be shared."""
        if self._create is not None:
            found = _COLUMN.match(line)
            if found and found[1].lower() not in _NO_COLUMN:
                self._columns[self._create].append(found[1].lower())
            if line.rstrip().endswith(b";"):
                self._create = None
            return line
        if found := _CREATE.match(line):
            self._create = bare(found[1])
            self._columns[self._create] = []
            return line
        if found := _COPY.match(line):
            self._enter(found)
            self._copy = True
            return line
        if self._copy:
            if line.startswith(b"\\."):
                self._copy, self._into = False, b""
                return line
            return self._tabbed(line)
        if found := _INSERT.match(line):
            self._enter(found)
            return line[: found.end()] + self._rows(line[found.end() :])
        return self._rows(line) if self._into and line.lstrip().startswith(b"(") else line

    def _enter(self, found: re.Match[bytes]) -> None:
        self._into = bare(found[1])
        if found[2]:
            self._columns[self._into] = [bare(name.strip()) for name in found[2].strip(b"()").split(b",")]

    def _at(self) -> dict[int, bool]:
        """Columns to change: by number, whether they hold a secret."""
        columns = self._columns.get(self._into, [])
        plain = self._into.removeprefix(b"shadow_")
        told = {}
        for n, name in enumerate(columns):
            if self._mask and name in _SECRET:
                told[n] = True
            elif self._own is not None and (name in _NUMBERED.get(plain, ()) or name == b"instance_id"):
                told[n] = False
        return told

    def _rows(self, line: bytes) -> bytes:
        at = self._at()
        return _ROW.sub(lambda row: self._row(row[0], at), line) if at else line

    def _row(self, row: bytes, at: dict[int, bool]) -> bytes:
        made, done = [], 0
        for n, cell in enumerate(_CELL.finditer(row, 1)):
            if n in at:
                made += [row[done : cell.start()], self._cell(cell[0], at[n])]
                done = cell.end()
        return b"".join((*made, row[done:]))

    def _tabbed(self, line: bytes) -> bytes:
        at = self._at()
        if not at:
            return line
        cells = line.rstrip(b"\n").split(b"\t")
        return b"\t".join(self._cell(cell, at[n]) if n in at else cell for n, cell in enumerate(cells)) + b"\n"

    def _cell(self, cell: bytes, secret: bool) -> bytes:
        if cell in (b"NULL", b"\\N", b"''", b""):
            return cell
        if secret:
            quoted = cell.startswith(b"'")
            return "'•••'".encode() if quoted else "•••".encode()
        if self._own is None or not cell.strip(b"'").isdigit():
            return cell
        return re.sub(
            rb"\d+", lambda digits: str(self._own.number(int(digits[0]))).encode() if self._own else b"", cell
        )


def first_number(row: str, told: Mapping[str, str]) -> str:
    """A row with its first cell that is a known row number replaced.

    Examples:
        >>> first_number("('2013-01-14 20:11:05',NULL,42,'web-1',42)", {"42": "7"})
        "('2013-01-14 20:11:05',NULL,7,'web-1',42)"
    """
    for cell in _CELL.finditer(row.encode("utf-8", "surrogateescape"), 1):
        if (made := told.get(cell[0].decode("ascii", "replace"))) is not None:
            octets = row.encode("utf-8", "surrogateescape")
            return (octets[: cell.start()] + made.encode() + octets[cell.end() :]).decode("utf-8", "surrogateescape")
    return row
