r"""Rows of a known table as lines: CSV, ``mysql --batch``, ``INTO OUTFILE`` and ``mysqldump --tab``, streamed."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from forensics.evidence import Stream
from forensics.loaders._reader import Batch, Origin, Reader
from forensics.loaders.documents._answers import place_of, table_of
from forensics.loaders.documents._document import command_of
from forensics.loaders.documents._ledger import Ledger, held
from forensics.loaders.documents._sql_scan import Ints, Octets, lines
from forensics.loaders.documents._sql_text import copied, quoted_fields
from forensics.loaders.documents._tables import YIELDS, Tables, known, known_name
from forensics.records import Instance, Record, RowCount

_LONGEST_ROW = 32 << 20
_NAMES = re.compile(r'^\ufeff?"?[A-Za-z_][\w:.]*"?(?:(?P<mark>[\t,;|])"?[A-Za-z_][\w:.]*"?)*$')
_NULL = re.compile(rb"(?:^|[\t,;])\\N(?:[\t,;]|\r?$)", re.MULTILINE)
_ESCAPED = re.compile(rb'[^"\\,;\n]\\"[^,;\r\n]')
_PATH = re.compile(r"(?:^|/)(?P<table>[a-z][a-z0-9_]+)(?:-\w+)?\.(?:txt|tsv|csv)(?:\.\w{1,4})?$")
_LEAST_COLUMNS = 5
_LOOKED_AT = 8_192


@dataclass(frozen=True, slots=True)
class _Form:
    """How the rows are written."""

    table: str
    database: str | None
    columns: tuple[str, ...]
    """Empty where the file does not tell them."""
    mark: int
    quote: int | None
    escapes: bool
    headed: bool


def _form(head: bytes, name: str) -> _Form | None:
    """How a file is written; None where it holds no rows of a known table."""
    end = head.find(b"\n")
    first = head[:4096] if end < 0 else head[:end]
    if len(first) > 4095 and end < 0:
        return None
    line = first.decode("utf-8", "replace").rstrip("\r").removeprefix("\ufeff")
    command = command_of(name)
    found = _NAMES.match(line)
    if found and found["mark"]:
        mark = found["mark"]
        columns = tuple(part.strip('"') for part in line.split(mark))
        named = _PATH.search(name.lower())
        table = table_of(columns, command) or (named["table"] if named and known(named["table"], columns) else None)
        if table is None:
            return None
        text = mark == "\t"
        escapes = text or bool(_NULL.search(head)) or (b'""' not in head and bool(_ESCAPED.search(head)))
        return _Form(table, place_of(command)[0], columns, ord(mark), None if text else 34, escapes, True)
    named = _PATH.search(name.lower())
    if named is None or not known_name(named["table"]) or not name.lower().endswith(".txt"):
        return None
    widths = set(lines(np.frombuffer(head[:_LOOKED_AT], np.uint8), 9, None, True, False).fields().tolist())
    if len(widths) == 1 and min(widths) > _LEAST_COLUMNS and _NULL.search(head):
        return _Form(named["table"], None, (), 9, None, True, False)
    return None


class SqlLines:
    """Rows of one table, one a line; columns are named by the first line, or not at all (``--tab``)."""

    name = "sql-rows"
    record: type[Record] = Instance
    bases: tuple[type[Record], ...] = YIELDS
    yields: tuple[type[Record], ...] = YIELDS
    reference = "RFC 4180; MySQL manual, SELECT … INTO OUTFILE, mysql --batch, mysqldump --tab"

    def likeness(self, head: bytes, name: str) -> float:
        """See `Reader`."""
        return 0.98 if _form(head, name) is not None else 0.0

    def batches(
        self, stream: Stream, origin: Origin, *, records: Collection[type[Record]] | None = None
    ) -> Iterator[Batch]:
        """See `Reader`."""
        form = _form(stream.peek(), f"$ {origin.command}" if origin.command else origin.source)
        ledger, tables = Ledger(stream), Tables(records)
        if form is None:
            while ledger.fill() or ledger.left:
                ledger.skip(ledger.left, "reject", "rows of no table that is known")
            yield ledger.batch()
            return
        tables.seen(form.database, form.table, form.columns, (1, 0, 0))
        wanted = tables.wanted(form.database, form.table, form.columns)
        first = form.headed
        ledger.fill()
        place = (1, 0, 0)
        while ledger.left or ledger.fill():
            if first:
                while b"\n" not in ledger.data and ledger.fill():
                    pass
                end = ledger.data.find(b"\n") + 1 or len(ledger.data)
                ledger.skip(end, "framing", "names of columns")
                first = False
                continue
            octets = np.frombuffer(ledger.data, np.uint8)[ledger.at :]
            rows = lines(octets, form.mark, form.quote, form.escapes, ledger.ended)
            if not rows.taken:
                if ledger.left > _LONGEST_ROW:
                    ledger.skip(ledger.left, "gap", f"row of {form.table} longer than {_LONGEST_ROW >> 20} MiB")
                elif not ledger.fill():
                    ledger.skip(ledger.left, "gap", f"row of {form.table} without an end")
                continue
            if not form.columns:
                tables.count(form.database, form.table, len(rows.starts))
                ends = int(rows.ends[0]) if place[2] == 0 else 0
                if ends:  # the count cites the first row
                    place = (ledger.line, ledger.offset, ends)
                    tables.cite(form.database, form.table, place)
                ledger.note(ledger.at + ends, ledger.at + rows.taken, "framing", f"rows of {form.table}, counted")
                ledger.pass_by(rows.taken)
                yield ledger.batch()
                continue
            good = rows.fields() == len(form.columns)
            blank = rows.closes <= rows.starts
            ledger.note_rest(rows, ~(blank & ~good), "blank", "padding")
            ledger.note_rest(rows, good | blank, f"row of {form.table} without {len(form.columns)} fields", "reject")
            kept = rows.where(good)
            at = tuple(form.columns.index(name) for name in wanted)
            reader = _fields(form)
            texts = [reader(octets, a, b) for a, b in kept.columns(len(form.columns), at)]
            ts, basis = origin.taken()
            places = ledger.places(kept, origin.source).with_columns(
                ts=pl.lit(ts, pl.Int64), ts_basis=pl.lit(basis), host=pl.lit(origin.host, pl.String)
            )
            told = tables.rows(form.database, form.table, pl.DataFrame(dict(zip(wanted, texts, strict=True))), places)
            ledger.note_rest(kept, held(kept, ledger.offset, list(told.values())), f"rows of {form.table}")
            ledger.pass_by(rows.taken)
            yield ledger.batch(told)
        yield self._end(form, tables, ledger, origin)

    def _end(self, form: _Form, tables: Tables, ledger: Ledger, origin: Origin) -> Batch:
        facts: dict[str, Any] = dict(tables.facts)
        if form.columns:
            return ledger.batch({}, facts)
        ts, basis = origin.taken()
        counts = tables.counts({"source": origin.source, "host": origin.host, "ts": ts, "ts_basis": basis})
        facts["note"] = f"rows are only counted: the columns of {form.table} are told by its .sql file"
        return ledger.batch({RowCount: counts}, facts)


def _fields(form: _Form) -> Callable[[Octets, Ints, Ints], pl.Series]:
    if form.quote is not None:
        return quoted_fields(form.escapes, form.quote)

    def batch(octets: Octets, starts: Ints, ends: Ints) -> pl.Series:
        null = (ends - starts == 4) & np.ones(len(starts), bool)
        for place, mark in enumerate(b"NULL"):
            null &= octets[np.minimum(starts + place, len(octets) - 1)] == mark
        text = copied(octets, starts, ends)
        return pl.select(pl.when(pl.Series(null)).then(None).otherwise(text)).to_series().rename("")

    return batch


READERS: tuple[Reader, ...] = (SqlLines(),)
