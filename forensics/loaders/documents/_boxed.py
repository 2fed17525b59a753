"""Tables of OpenStack's clients as rows of named cells: boxed, CSV, JSON, or values under headings known elsewhere."""

from __future__ import annotations

import csv
import json
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

RULE = re.compile(r"^\s*\+(?:[-=]*\+)+\s*$")
_EMPTY = re.compile(r"^\s*\+\+\s*$")
_PART_OF_ID = re.compile(r"^[\da-f]{1,8}(?:-[\da-f]{0,12}){0,4}-?$")
_IDS = frozenset(("id", "port_id", "id_port"))
_LONGEST = 1 << 20


@dataclass(slots=True)
class Row:
    """One row, and the lines that tell it."""

    line: int
    count: int
    cells: dict[str, Any]
    """By `named` heading; text, or what JSON has."""


@dataclass(slots=True)
class Table:
    """One table."""

    columns: tuple[str, ...]
    rows: list[Row] = field(default_factory=list)
    idle: list[int] = field(default_factory=list)
    """Lines of rules and headings."""

    @property
    def is_show(self) -> bool:
        """Whether it tells of one thing, a property a row."""
        return self.columns in (("property", "value"), ("field", "value"))

    def shown(self) -> dict[str, Any]:
        """Cells of a table that tells of one thing, by name."""
        first, second = self.columns
        return {named(str(row.cells[first])): row.cells[second] for row in self.rows}


def named(heading: str) -> str:
    """A heading in one spelling for all generations of clients.

    Examples:
        >>> named("Updated_at"), named("Updated At"), named("OS-EXT-SRV-ATTR:host")
        ('updated_at', 'updated_at', 'os_ext_srv_attr_host')
    """
    return re.sub(r"[^a-z0-9]+", "_", heading.lower()).strip("_")


def boxed(lines: Sequence[str]) -> Iterator[Table]:
    """Every table between rules of ``+--+``; one that is empty, ``++``, has no columns.

    A cell that goes on below the others continues the row above: its first cell is empty, or the rest of an id.
    """
    table: Table | None = None
    cuts: list[int] = []
    rules = 0
    heads: list[list[str]] = []
    for at, line in enumerate(lines):
        if len(line) > _LONGEST:
            continue
        if RULE.match(line):
            if table is None or rules == 3:
                if table is not None:
                    yield table
                table, rules, heads = Table(()), 0, []
                cuts = [place for place, sign in enumerate(line) if sign == "+"]
            rules += 1
            table.idle.append(at)
            if _EMPTY.match(line):
                continue
            if rules == 2:
                table.columns = _unique(["".join(parts) for parts in zip(*heads, strict=True)] if heads else [])
        elif table is not None and rules in (1, 2) and line.lstrip().startswith("|"):
            cells = _cells(line, cuts)
            if cells is None:
                continue
            if rules == 1 and cells == [""]:
                table.idle.append(at)  # a table without columns, as newer releases of PrettyTable draw it
            elif rules == 1:
                heads.append(cells)
                table.idle.append(at)
            elif len(cells) == len(table.columns):
                _take(table, at, cells)
        elif line.strip() and table is not None:
            yield table
            table, rules = None, 0
    if table is not None:
        yield table


def _unique(headings: list[str]) -> tuple[str, ...]:
    found: list[str] = []
    for heading in headings:
        name = named(heading)
        found.append(name if name not in found else f"{name}_{len(found)}")
    return tuple(found)


def _take(table: Table, at: int, cells: list[str]) -> None:
    before = table.rows[-1] if table.rows else None
    first = table.columns[0]
    if before is not None and at == before.line + before.count and _continues(before, first, cells[0]):
        for column, cell in zip(table.columns, cells, strict=True):
            if cell:
                between = "" if column == first or _PART_OF_ID.match(cell) else "\n"
                before.cells[column] = f"{before.cells[column]}{between}{cell}" if before.cells[column] else cell
        before.count += 1
        return
    table.rows.append(Row(at, 1, dict(zip(table.columns, cells, strict=True))))


def _continues(before: Row, first: str, cell: str) -> bool:
    if not cell:
        return True
    so_far = before.cells[first]
    cut = first in _IDS and len(so_far) < 36 and "-" in so_far and len(so_far) + len(cell) <= 36
    return bool(cut and _PART_OF_ID.match(so_far) and _PART_OF_ID.match(cell))


def _cells(line: str, cuts: list[int]) -> list[str] | None:
    """Cells of a line: what stands between bars, or, where a cell has a bar of its own, below the rule's crosses."""
    text = line.rstrip()
    if not text.endswith("|"):
        return None
    pieces = text.lstrip()[1:-1].split("|")
    if len(pieces) == len(cuts) - 1:
        return [piece.strip() for piece in pieces]
    places: dict[int, int] = {}
    width = 0
    for place, character in enumerate(text):
        places[width] = place
        width += 0 if unicodedata.combining(character) else 2 if unicodedata.east_asian_width(character) in "WF" else 1
    bars = [places.get(cut, -1) for cut in cuts]
    if -1 in bars or any(text[bar] != "|" for bar in bars):
        return None
    return [text[start + 1 : end].strip() for start, end in pairwise(bars)]


def comma_separated(lines: Sequence[str]) -> Table | None:
    """A table of ``-f csv``, its headings in the first line that is not blank."""
    start = next((at for at, line in enumerate(lines) if line.strip()), None)
    if start is None:
        return None
    reader = csv.reader(line + "\n" for line in lines[start:])
    table: Table | None = None
    done = 0
    try:
        for cells in reader:
            at, count, done = start + done, reader.line_num - done, reader.line_num
            if table is None:
                table = Table(_unique(cells), idle=list(range(at, at + count)))
            elif len(cells) == len(table.columns):
                table.rows.append(
                    Row(at, count, dict(zip(table.columns, (cell.strip() for cell in cells), strict=True)))
                )
    except csv.Error:  # a field beyond the limit of the library: what came before it stands
        pass
    return table


def objects(lines: Sequence[str]) -> Table | None:
    """A table of ``-f json``: a list of objects, or one."""
    text = "\n".join(lines)
    decoder = json.JSONDecoder()
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line) + 1)
    at = _past(text, 0)
    several = text[at : at + 1] == "["
    at = _past(text, at + 1) if several else at
    rows: list[Row] = []
    idle = {0, max(len(lines) - 1, 0)}
    first = 0
    while text[at : at + 1] == "{":
        try:
            told, end = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            break
        while starts[first + 1] <= at:
            first += 1
        last = first
        while starts[last + 1] < end:
            last += 1
        rows.append(Row(first, last - first + 1, {named(str(key)): value for key, value in told.items()}))
        at = _past(text, end)
        if not several:
            break
    if not rows:
        return None
    covered = {line for row in rows for line in range(row.line, row.line + row.count)}
    return Table(tuple(rows[0].cells), rows, sorted(idle - covered))


def _past(text: str, at: int) -> int:
    while at < len(text) and text[at] in " \t\r\n,":
        at += 1
    return at


def values(lines: Sequence[str], columns: Sequence[str]) -> Table:
    """A table of ``-f value``: cells divided by blanks, headings known from elsewhere; the last one takes the rest."""
    table = Table(tuple(columns))
    for at, line in enumerate(lines):
        cells = line.split(None, len(columns) - 1)
        if len(cells) == len(columns):
            table.rows.append(Row(at, 1, dict(zip(table.columns, cells, strict=True))))
    return table
