"""Dumps of MySQL and MariaDB in SQL, and others that look like them: sqlite3, phpMyAdmin, our own snapshots."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

from forensics.evidence import Stream
from forensics.loaders._reader import Batch, Origin, Reader, Stretch
from forensics.loaders.documents._sql_dump import Dump
from forensics.loaders.documents._sql_words import CREATE, INSERT, WORDS
from forensics.loaders.documents._tables import YIELDS
from forensics.records import Instance, Record

_MADE_BY = re.compile(
    rb"\A(?:\xef\xbb\xbf)?\s*+(?:/\*M?!999999\\?- [^\n]*\n\s*+)?"
    rb"(?:-- (?:MySQL|MariaDB) dump |-- Snapshot of \S+ by cloud-forensics|-- phpMyAdmin SQL Dump|-- mydumper )"
)
_STRICT = re.compile(rb"-- (?:MySQL|MariaDB) dump |-- Snapshot of \S+ by cloud-forensics")
_SQLITE = re.compile(rb"\A\s*+(?:PRAGMA foreign_keys=OFF;|BEGIN TRANSACTION;)")
_POSTGRES = re.compile(rb"^(?:-- PostgreSQL database |COPY \S+ \([^()\n]*\) FROM stdin;)", re.MULTILINE)
_XML = re.compile(rb"\A\s*+<\?xml[^>]{0,200}>\s*+<mysqldump\b|\A\s*+<mysqldump\b")
_LOOKED_AT = 65_536


def _sql(head: bytes) -> bool:
    """Whether a file without a line that names its maker is SQL with rows or tables nevertheless."""
    text = head[:_LOOKED_AT]
    first = text.lstrip(b"\xef\xbb\xbf \r\n\t")
    if not WORDS.match(first) or first.startswith(b"\\"):
        return False
    starts = [0] if first[:1].isalpha() else []
    starts += [found.end() for found in re.finditer(rb"\n(?=(?i:INSERT|REPLACE|CREATE)\s)", first)][:50]
    return any(INSERT.match(first, start) or CREATE.match(first, start) for start in starts)


class MysqlDumps:
    """What mysqldump and mariadb-dump write, with any of their options but ``--xml`` and ``--tab``."""

    name = "mysqldump"
    record: type[Record] = Instance
    bases: tuple[type[Record], ...] = YIELDS
    yields: tuple[type[Record], ...] = YIELDS
    reference = "client/mysqldump.cc, MySQL 5.0 to 9, MariaDB 5.1 to 12; sqlite3 .dump"

    def likeness(self, head: bytes, name: str) -> float:  # noqa: ARG002 - the octets decide
        """See `Reader`."""
        if _XML.match(head[:_LOOKED_AT]):
            return 0.95
        if _MADE_BY.match(head) or _SQLITE.match(head):
            return 1.0
        if _POSTGRES.search(head[:_LOOKED_AT]):
            return 0.0
        return 0.96 if _sql(head) else 0.0

    def batches(
        self, stream: Stream, origin: Origin, *, records: Collection[type[Record]] | None = None
    ) -> Iterator[Batch]:
        """See `Reader`."""
        head = stream.peek()
        if _XML.match(head):
            line = 1
            while octets := stream.read(_LOOKED_AT * 16):
                reason = "mysqldump --xml is not read: dump again without it"
                yield Batch({}, (Stretch(stream.offset - len(octets), len(octets), "reject", reason, line),))
                line += octets.count(b"\n")
            return
        yield from Dump(
            stream,
            origin,
            records,
            self.name,
            escapes=not _SQLITE.match(head),
            strict=bool(_STRICT.search(head[:4096])),
        ).batches()


READERS: tuple[Reader, ...] = (MysqlDumps(),)
