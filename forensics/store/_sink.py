"""Writes the rows of one source into files of a store."""

from __future__ import annotations

import contextlib
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import polars as pl
import pyarrow.parquet as pq

from forensics.records import Record
from forensics.store._files import stopping, whole

ROW_GROUP = 65_536
"""Rows of a row group: fixed, so that the size of the reader's chunks does not show in the bytes."""
PARQUET: dict[str, Any] = {
    "compression": "zstd",
    "compression_level": 3,
    "version": "2.6",
    "data_page_version": "1.0",
    "use_dictionary": True,
    "write_statistics": True,
    "write_page_checksum": True,
    "store_schema": True,
}


def shaped(record: type[Record], frame: pl.DataFrame) -> pl.DataFrame:
    """The columns of the record in its order and types; null where the frame has no such column."""
    return frame.select(
        pl.col(name).cast(kind) if name in frame.columns else pl.lit(None, kind).alias(name)
        for name, kind in record.polars_schema().items()
    )


def part_name(number: int) -> str:
    """Name of the file that holds the rows of a source."""
    return f"{number:06d}.parquet"


class Sink:
    """Writes the rows of one source as they come, in memory that does not grow with them.

    Args:
        folder: The store under construction.
        number: Number of the source in the order of the evidence, from 1.

    Raises:
        StoppedError: If the system does not let it be written.
    """

    def __init__(self, folder: Path, number: int) -> None:
        self._folder = folder
        self._file_name = part_name(number)
        self._waiting: dict[type[Record], list[pl.DataFrame]] = {}
        self._open: dict[type[Record], tuple[contextlib.ExitStack, pq.ParquetWriter]] = {}
        self.rows: dict[type[Record], int] = {}

    def append(self, record: type[Record], frame: pl.DataFrame) -> None:
        """Add rows of one record."""
        if not frame.height:
            return
        waiting = self._waiting.setdefault(record, [])
        waiting.append(shaped(record, frame))
        self.rows[record] = self.rows.get(record, 0) + frame.height
        if sum(part.height for part in waiting) >= ROW_GROUP:
            rows = pl.concat(waiting)
            whole = rows.height - rows.height % ROW_GROUP
            self._write(record, rows[:whole])
            self._waiting[record] = [rows[whole:]]

    def _write(self, record: type[Record], rows: pl.DataFrame) -> None:
        table = rows.to_arrow(compat_level=pl.CompatLevel.oldest())
        path = self._folder / "records" / record.__name__ / self._file_name
        with stopping(path):
            if record not in self._open:
                path.parent.mkdir(parents=True, exist_ok=True)
                stack = contextlib.ExitStack()
                file = stack.enter_context(whole(path, sync=False))  # the draft does, many at a time
                self._open[record] = (stack, stack.enter_context(pq.ParquetWriter(file, table.schema, **PARQUET)))
            self._open[record][1].write_table(table, row_group_size=ROW_GROUP)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Finish the files; after an interruption close them as they are: nobody will read them."""
        if kind is None:
            try:
                for record, parts in self._waiting.items():
                    rows = pl.concat(parts)
                    if rows.height:
                        self._write(record, rows)
                with stopping(self._folder):
                    for stack, _ in self._open.values():
                        stack.close()
                self._open.clear()
            except BaseException as failed:
                self._drop(failed)
                raise
        elif error is not None:
            self._drop(error)

    def _drop(self, error: BaseException) -> None:
        for stack, _ in self._open.values():
            with contextlib.suppress(BaseException):
                stack.__exit__(type(error), error, error.__traceback__)
