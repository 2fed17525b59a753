"""Dumps of PostgreSQL in plain text, with COPY or with INSERT."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

from forensics.evidence import Stream
from forensics.loaders._reader import Batch, Origin, Reader
from forensics.loaders.documents._sql_dump import Dump
from forensics.loaders.documents._tables import YIELDS
from forensics.records import Instance, Record

_MADE_BY = re.compile(rb"^-- PostgreSQL database (?:cluster )?dump\s*$", re.MULTILINE)
_COPY = re.compile(rb"^COPY (?:\w+\.)?\w+ \([^()\n]*\) FROM stdin;\r?$", re.MULTILINE)


class PostgresDumps:
    """What pg_dump and pg_dumpall write in their plain format."""

    name = "pg_dump"
    record: type[Record] = Instance
    bases: tuple[type[Record], ...] = YIELDS
    yields: tuple[type[Record], ...] = YIELDS
    reference = "src/bin/pg_dump, PostgreSQL 8.4 to 18"

    def likeness(self, head: bytes, name: str) -> float:  # noqa: ARG002 - the octets decide
        """See `Reader`."""
        if _MADE_BY.search(head[:4096]):
            return 1.0
        return 0.97 if _COPY.search(head[:65_536]) else 0.0

    def batches(
        self, stream: Stream, origin: Origin, *, records: Collection[type[Record]] | None = None
    ) -> Iterator[Batch]:
        """See `Reader`."""
        yield from Dump(stream, origin, records, self.name, escapes=False, strict=False).batches()


READERS: tuple[Reader, ...] = (PostgresDumps(),)
