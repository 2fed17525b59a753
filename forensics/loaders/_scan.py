"""Readers as lazy frames: the one place that knows how polars asks a source for rows."""

from __future__ import annotations

import atexit
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from threading import Event

import polars as pl
from polars.io.plugins import register_io_source

from forensics.records import Record

Generate = Callable[[list[str] | None, pl.Expr | None, int | None, int | None], Iterator[pl.DataFrame]]
"""Yields data frames, given the columns wanted (None for all), a predicate over rows, a number of rows, and a hint
how many of them make a good batch. It holds to the first three, on whatever thread it is called: the predicate chooses
among the first so many rows, for polars hands over both at once where a query limits first and filters then."""


class _Source:
    """What polars calls; a class of its own so that a plan can be sent to another process."""

    def __init__(self, generate: Generate, schema: pl.Schema) -> None:
        self.generate = generate
        self.schema = schema

    def __call__(
        self, with_columns: list[str] | None, predicate: pl.Expr | None, n_rows: int | None, batch_size: int | None
    ) -> Iterator[pl.DataFrame]:
        reading = _Reading()
        try:
            some = False
            for frame in self.generate(with_columns, predicate, n_rows, batch_size):
                some = True
                reading.busy = False
                yield frame
                reading.busy = True
                if _leaving.is_set():
                    return
            if not some:  # a source without rows still has columns
                names = self.schema.names() if with_columns is None else with_columns
                yield pl.DataFrame(schema={name: self.schema[name] for name in names})
        finally:
            reading.end()


def selected(
    frames: Iterable[pl.DataFrame], names: Sequence[str], predicate: pl.Expr | None, n_rows: int | None
) -> Iterator[pl.DataFrame]:
    """What a query wants of rows that were made already.

    Polars hands over a limit and a predicate together for ``head().filter()``: the limit comes first. Frames without a
    row are yielded too, because whoever wants no more can only say so between two frames.
    """
    left = n_rows
    for frame in frames:
        found = frame if left is None else frame.head(left)
        if left is not None:
            left -= found.height
        yield (found if predicate is None else found.filter(predicate)).select(names)
        if left is not None and left <= 0:
            return


class _Reading:
    """One scan under way, on a thread of polars. A query that has enough rows returns before that thread stops."""

    def __init__(self) -> None:
        self.busy = True
        _readings.add(self)

    def end(self) -> None:
        self.busy = False
        _readings.discard(self)


_readings: set[_Reading] = set()
_leaving = Event()


def _leave() -> None:
    """Let scans come to a halt before the interpreter goes: a foreign thread that then calls Python aborts the process.

    What a query left unread is waiting to be thrown away; only what runs must be waited for, and not for long.
    """
    _leaving.set()
    until = time.monotonic() + _PATIENCE_S
    while any(reading.busy for reading in list(_readings)) and time.monotonic() < until:
        time.sleep(0.002)
    if _readings:
        time.sleep(0.05)  # polars puts the last frame away


_PATIENCE_S = 10.0
atexit.register(_leave)


def scan(record: type[Record], generate: Generate, *, repeatable: bool = True) -> pl.LazyFrame:
    """A lazy frame of rows that are read when they are collected.

    Projection, predicates and row limits reach the reader; so do the streaming
    engine, sinks and joins. The interface of polars that this rests on is marked
    unstable: it is the same from 1.35 to 2.1, and used nowhere else.

    Args:
        record: What a row is.
        generate: Reads the rows, see `Generate`.
        repeatable: Whether reading again gives the same rows; not so for a pipe.

    Examples:
        >>> from forensics.records import Packet
        >>> scan(Packet, lambda columns, predicate, n_rows, batch_size: iter(())).select("ts").collect().shape
        (0, 1)
    """
    schema = record.polars_schema()
    return register_io_source(_Source(generate, schema), schema=schema, validate_schema=True, is_pure=repeatable)
