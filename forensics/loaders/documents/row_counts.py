"""Numbers of rows of tables as operators write them down: dated lists, answers of a database, metrics."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Sequence

from forensics.loaders.documents._boxes import boxes, is_foot
from forensics.loaders.documents._count_rows import add_counts, stamps
from forensics.loaders.documents._document import Document, DocumentFormat, Head
from forensics.loaders.documents._instants import instant_of
from forensics.loaders.documents._sql_counts import Counted, counted, is_table, rows_of, time_column, whole, wide
from forensics.records import RowCount

_LONGEST = 4_000
_METRIC = re.compile(
    r"^(?P<name>\w*(?:table_rows|n_live_tup|row_count|rows))\{(?P<labels>[^}]{1,500})\}\s+(?P<value>[\d.e+]+)"
    r"(?:\s+(?P<at>\d{10,13}))?\s*$"
)
_LABEL = re.compile(r'(\w+)="([^"]*)"')
_GRAPHITE = re.compile(r"^(?P<path>[\w-]+(?:\.[\w-]+){2,12})\s+(?P<value>\d+(?:\.0+)?)\s+(?P<at>\d{10})\s*$")
_COMMENT = re.compile(r"^\s*#")
_STATEMENT = re.compile(
    r"(?i)(?:-\w*e\w*\s*|--execute[= ]|-\w*c\s*)(['\"])(?P<sql>select\b.*?)\1\s*(?:[|;>&]|\s-|$|\w+\s*$)"
)


def statement_of(command: str | None) -> str | None:
    """The SELECT that a command line carries.

    Examples:
        >>> statement_of('mysql nova -Be "select count(*) from instances where deleted=0"')
        'select count(*) from instances where deleted=0'
    """
    found = _STATEMENT.search((command or "")[:_LONGEST])
    return found["sql"].strip().removesuffix(";") if found else None


def _cells(line: str) -> list[str]:
    if "\t" in line:
        return line.split("\t")
    for mark in (",", ";"):
        if mark in line:
            try:
                return [
                    cell.strip() for cell in next(csv.reader([line[:_LONGEST]], delimiter=mark, skipinitialspace=True))
                ]
            except (csv.Error, StopIteration):
                return []
    return [line.strip()]


def _is_header(cells: Sequence[str], statement: str | None) -> bool:
    """Whether these are names of columns that tell numbers of rows."""
    names = [cell.lower() for cell in cells]
    if wide(names) is not None:
        return True
    if len(cells) == 1:
        return names[0].startswith("count(") and counted(cells, [["1"]], statement) is not None
    return not any(cell.isdigit() for cell in cells) and counted(cells, [["1"] * len(cells)], statement) is not None


def _metric(line: str) -> tuple[Counted, int | None] | None:
    """A line of Prometheus or Graphite."""
    found = _METRIC.match(line[:_LONGEST]) if "{" in line else None
    if found:
        labels = dict(_LABEL.findall(found["labels"]))
        table = labels.get("table") or labels.get("relname") or labels.get("table_name")
        rows = _figure(found["value"])
        if table is None or rows is None:
            return None
        at = int(found["at"].ljust(13, "0")) * 1_000_000 if found["at"] else None
        schema = labels.get("schema") or labels.get("datname") or labels.get("database")
        estimate = found["name"].endswith(("table_rows", "n_live_tup"))
        return Counted(table, rows, labels.get("state", "all"), schema, estimate), at
    found = _GRAPHITE.match(line[:_LONGEST])
    if found is None:
        return None
    parts = found["path"].split(".")
    place = next((at for at, part in enumerate(parts) if is_table(part)), None)
    rows = _figure(found["value"])
    if place is None or rows is None or not any(part in ("rows", "row_count", "table_rows", "count") for part in parts):
        return None
    state = next((part for part in parts[place + 1 :] if part in ("live", "deleted", "all")), "all")
    return Counted(parts[place], rows, state, parts[place - 1] if place else None), int(found["at"]) * 10**9


def _figure(text: str) -> int | None:
    if re.fullmatch(r"\d{1,18}(?:\.0+)?", text):
        return int(text.split(".")[0])
    if re.fullmatch(r"\d(?:\.\d{1,17})?e\+?\d{1,2}", text):
        mantissa, exponent = re.split(r"e\+?", text)
        first, _, rest = mantissa.partition(".")
        return int((first + rest).ljust(int(exponent) + 1, "0")) if len(rest) <= int(exponent) <= 17 else None
    return None


def _recognise(head: Head) -> float:
    statement = statement_of(head.command)
    told = [line for line in head.lines[:60] if line.strip() and not _COMMENT.match(line)]
    while told and instant_of(told[0][:200], "UTC") is not None:
        told = told[1:]
    if not told or len(told[0]) > _LONGEST:
        return 0.0
    for box in boxes(told[:60]):
        known = counted(box.columns, box.rows[:1] or [["1"] * len(box.columns)], statement)
        return 0.97 if box.start == 0 and known is not None else 0.0
    if _is_header(_cells(told[0]), statement):
        return 0.97
    metrics = sum(_metric(line) is not None for line in told)
    return 0.9 if metrics and metrics >= len(told) * 0.5 else 0.0


def _read(document: Document) -> None:
    statement = statement_of(document.head.command)
    read, lines = stamps(document), document.lines
    found = {box.start: box for box in boxes(lines)}
    at, now = 0, None
    names: list[str] | None = None
    while at < len(lines):
        line = lines[at]
        if box := found.get(at):
            told = counted(box.columns, box.rows, statement) or []
            for index, one in rows_of(told):
                add_counts(document, *box.lines[index], [one], now)
            heads = {*range(box.start, box.end)} - {where for where, _ in box.lines} - set(box.odd)
            for where in heads:
                document.skip(where)
            at = box.end
            continue
        if line.strip() and not (told_at := _dated(document, at, line)):
            cells = _cells(line) if len(line) <= _LONGEST else []
            if metric := _metric(line):
                add_counts(document, at, 1, [metric[0]], metric[1])
            elif cells and _is_header(cells, statement):
                names = cells
                document.skip(at)
            elif names is not None and len(cells) == len(names):
                _of_line(document, at, names, cells, statement, read, now)
            elif is_foot(line) or _COMMENT.match(line):
                document.skip(at)
        elif line.strip():
            now = told_at
        at += 1


def _dated(document: Document, at: int, line: str) -> int | None:
    told = instant_of(line[:200], document.origin.zone or "UTC") if len(line) < 200 else None
    if told is not None:
        document.skip(at)
    return told


def _of_line(
    document: Document, at: int, names: list[str], cells: list[str], statement: str | None,
    read: Callable[[str], int | None], now: int | None,
) -> None:  # fmt: skip
    when = time_column(names)
    stamp = read(cells[when]) if when is not None else now
    if (columns := wide(names)) is not None:
        pairs = [(one, whole(cell)) for one, cell in zip(columns, cells, strict=True) if one is not None]
        told = [Counted(one[1], rows, one[2], one[0]) for one, rows in pairs if rows is not None]
    else:
        told = [one for _, one in rows_of(counted(names, [cells], statement) or [])]
    if told and not (when is not None and stamp is None):
        add_counts(document, at, 1, told, stamp)


READERS = (
    DocumentFormat(
        "row-counts",
        (RowCount,),
        "SELECT COUNT(*), information_schema.tables, SHOW TABLE STATUS, mysqld_exporter; lists that operators keep",
        _recognise,
        _read,
    ),
)
