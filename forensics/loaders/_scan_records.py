"""Rows of any record, of any file that can hold them, lazily and without a case: the format is found out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

import polars as pl

from forensics.errors import NotUnderstoodError, UnknownColumnError
from forensics.evidence import host_of, series_of
from forensics.loaders._paths import Given, Paths, given
from forensics.loaders._reader import Origin
from forensics.loaders._registry import pick, yielding
from forensics.loaders._scan import scan, selected
from forensics.records import ApiRequest, DhcpMessage, Notification, Record


def scan_records(paths: Paths, record: type[Record]) -> pl.LazyFrame:
    """Rows of one record, as a lazy frame: straight from the files, in whatever format they are.

    Args:
        paths: A file, a folder, a pattern such as ``"controller/*"``, a binary file object, ``"-"`` for standard
            input, or a list of these; formats may be mixed.
        record: A class of `forensics.records`, such as ``PortEvent``.

    Returns:
        One row per record, file after file. Stamps of a log are read without knowledge of its zone, as UTC
        where its lines do not say: a case (`forensics.open_case`) finds the zone out.

    Raises:
        EvidenceError: If there is no such file.
        NotUnderstoodError: When it is collected, if a file is in no format that can hold such rows.

    Examples:
        >>> import io
        >>> from forensics.records import LogRecord
        >>> line = b"2014-01-10 09:11:45.072 129745 INFO nova.compute [-] Hello"
        >>> scan_records(io.BytesIO(line), LogRecord).select("pid", "message").collect().row(0)
        (129745, 'Hello')
    """
    files = given(paths, record)
    return scan(record, partial(_rows, record, files), repeatable=all(file.repeatable for file in files))


def scan_dhcp(paths: Paths) -> pl.LazyFrame:
    """DHCP messages of captures and of logs, one row per `DhcpMessage`: see `scan_records`."""
    return scan_records(paths, DhcpMessage)


def scan_requests(paths: Paths) -> pl.LazyFrame:
    """Requests that API services answered, one row per `ApiRequest`: see `scan_records`."""
    return scan_records(paths, ApiRequest)


def scan_notifications(paths: Paths) -> pl.LazyFrame:
    """Events of nova, glance, neutron and others, one row per `Notification`: see `scan_records`."""
    return scan_records(paths, Notification)


def _rows(
    record: type[Record],
    files: Sequence[Given],
    with_columns: list[str] | None,
    predicate: pl.Expr | None,
    n_rows: int | None,
    batch_size: int | None,  # noqa: ARG001 - batches are as large as the reader makes them
) -> Iterator[pl.DataFrame]:
    names = record.polars_schema().names() if with_columns is None else with_columns
    unknown = [name for name in names if name not in record.columns()]
    if unknown:
        raise UnknownColumnError(f"no column {', '.join(unknown)}", hint=f"there are {', '.join(record.columns())}")
    found = (rows for file in files for rows in _of_file(record, file))
    yield from selected(found, names, predicate, n_rows)


def _of_file(record: type[Record], file: Given) -> Iterator[pl.DataFrame]:
    with file.open() as stream:
        head = stream.peek()
        if not head:
            return
        reader = pick(head, file.label, yielding(record))
        if reader is None:
            raise NotUnderstoodError(
                f"in no format that can hold a {record.__name__}",
                where=file.label,
                hint="`forensics formats` lists what can be read",
            )
        series = series_of(file.label)
        origin = Origin(
            file.label,
            host=host_of(file.label),
            capture_point=file.point,
            modified_ns=file.modified_ns,
            rotated_on=series.rotated_on_ns,
        )
        for batch in reader.batches(stream, origin, records=(record,)):
            rows = batch.rows.get(record)
            if rows is not None and rows.height:
                yield rows
