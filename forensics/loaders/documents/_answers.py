"""Answers of a database to a SELECT on a table that is known, as rows of records."""

from __future__ import annotations

import re
from collections.abc import Sequence

import polars as pl

from forensics.loaders.documents._boxes import Box
from forensics.loaders.documents._document import Document
from forensics.loaders.documents._tables import Tables, guess, known

_FROM = re.compile(r"(?i)\bfrom\s+(?:[`\"]?(?P<database>[\w$]+)[`\"]?\s*\.\s*)?[`\"]?(?P<table>[\w$]+)[`\"]?")
_CHOSEN = re.compile(r"(?i)(?:^|\s)(?:-D\s?|--database[= ])(?P<database>[\w$]+)")
_LAST = re.compile(r"(?:^|\s)(?P<database>[A-Za-z]\w*)\s*$")


def place_of(statement: str | None) -> tuple[str | None, str | None]:
    """Schema and table that a statement, or a command line with one, selects from.

    Examples:
        >>> place_of('mysql -u root -pX nova -e "select id, uuid from instances where deleted=0"')
        (None, 'instances')
        >>> place_of("SELECT * FROM `nova`.`instances`")
        ('nova', 'instances')
    """
    if statement is None or len(statement) > 65_536:
        return None, None
    found = _FROM.search(statement)
    if found is None:
        return None, None
    chosen = _CHOSEN.search(statement)
    return found["database"] or (chosen["database"] if chosen else None), found["table"]


def table_of(columns: Sequence[str], statement: str | None = None) -> str | None:
    """The table that an answer is of: the one that the statement names, or the only one with such columns."""
    named = place_of(statement)[1]
    if named is not None and known(named, columns) is not None:
        return named
    return guess(columns)


def add_answer(
    document: Document, tables: Tables, box: Box, statement: str | None, database: str | None = None
) -> bool:
    """Rows of an answer; False where it is of no table that is known."""
    table = table_of(box.columns, statement)
    if table is None:
        return False
    ts, basis = document.taken()
    frame = box.frame()
    named = place_of(statement)[0] or database
    asked = [name for name in tables.wanted(named, table, box.columns) if name in frame.columns]
    places = box.places(document.origin.source).with_columns(
        ts=pl.lit(ts, pl.Int64), ts_basis=pl.lit(basis), host=pl.lit(document.origin.host, pl.String)
    )
    document.skip(box.start, box.end - box.start)
    for record, rows in tables.rows(named, table, frame.select(asked), places).items():
        document.add_frame(record, rows.with_columns(line="position", count="length_bytes"))
    return True
