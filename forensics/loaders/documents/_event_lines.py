"""Files that other tools made of events, one a line: the engine that accounts for their octets, and what rows have."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Protocol

import numpy as np
import polars as pl

from forensics.evidence import Stream
from forensics.loaders._reader import Batch, Origin, Stretch
from forensics.loaders.documents._document import Head, head_of, lines_of
from forensics.loaders.documents._ledger import Ledger
from forensics.records import LogRecord, Record

LONGEST = 64 << 20
"""A line may be this long."""
_BARE = re.compile(r"[^\s\"]+")
_DEEP = 200
_REJECT, _HEADING, _ROW, _BLANK = range(4)
_SCHEMA = LogRecord.polars_schema()
_NONE = LogRecord.empty()


@dataclass(slots=True)
class Events:
    """What some lines were found to tell.

    Args:
        rows: By column of `LogRecord`, one value a row; ``line`` and ``n_lines`` say which lines tell it (from 0, among
            those that were given), ``ts`` is nanoseconds since 1970.
        skipped: Lines that are understood and tell no event.
        taken: How many of the lines are done with; what is behind them comes again, with more lines.
    """

    rows: pl.DataFrame
    skipped: Collection[int] = ()
    taken: int | None = None


class Parser(Protocol):
    """Reads the lines of one file, in order."""

    def read(self, texts: list[str], final: bool) -> Events:
        """Some more lines; ``final`` where the file ends with them."""
        ...


@dataclass(frozen=True, slots=True)
class EventLines:
    """A format whose lines are events: see `forensics.loaders._reader.Reader`.

    Args:
        name: Name of the format; the framing of its rows.
        reference: The program that writes it.
        recognise: How sure it is, from 0 to 1, that a file begins like this one.
        parser: Makes a reader of the lines of one file, given its head.
    """

    name: str
    reference: str
    recognise: Callable[[Head], float]
    parser: Callable[[Head], Parser]
    record: type[Record] = LogRecord
    bases: tuple[type[Record], ...] = (LogRecord,)
    yields: tuple[type[Record], ...] = (LogRecord,)

    def likeness(self, head: bytes, name: str) -> float:
        """See `Reader`."""
        found = head_of(head, name)
        return self.recognise(found) if found.lines else 0.0

    def batches(
        self, stream: Stream, origin: Origin, *, records: Collection[type[Record]] | None = None
    ) -> Iterator[Batch]:
        """See `Reader`."""
        parser = self.parser(head_of(stream.peek(), origin.source))
        ledger, tally = Ledger(stream), _Tally()
        ended = False
        while not ended:
            ended = not ledger.fill()
            if ended and not ledger.left:
                return
            end = len(ledger.data) if ended else ledger.data.rfind(b"\n") + 1
            if end <= ledger.at:
                if ledger.left > LONGEST:
                    tally.rejects += 1
                    ledger.skip(ledger.left, "reject", f"line longer than {LONGEST >> 20} MiB")
                continue
            texts, offsets = lines_of(ledger.data[ledger.at : end], ledger.offset)
            events = parser.read(texts, ended)
            taken = len(texts) if events.taken is None else events.taken
            frame = self._frame(events.rows, offsets, ledger.line, origin) if events.rows.height else _NONE
            rows: dict[type[Record], pl.DataFrame] = (
                {LogRecord: frame} if records is None or LogRecord in records else {}
            )
            rest = self._rest(events, texts[:taken], offsets, ledger.line, tally)
            ledger.pass_by(offsets[taken] - ledger.offset)
            facts = {"format": self.name} | ({"rejects": str(tally.rejects)} if tally.rejects else {})
            yield Batch(rows, (*ledger.batch().stretches, *rest), (), facts)

    def _frame(self, rows: pl.DataFrame, offsets: list[int], number: int, origin: Origin) -> pl.DataFrame:
        starts = pl.Series(offsets, dtype=pl.Int64)
        begins = starts.gather(rows["line"])
        placed = rows.with_columns(
            ts=pl.col("ts").cast(pl.Int64).cast(_SCHEMA["ts"]),
            source=pl.lit(origin.source),
            position=pl.col("line") + number,
            offset_bytes=begins,
            length_bytes=starts.gather(rows["line"] + rows["n_lines"]) - begins,
            framing=pl.lit(self.name),
            year_basis=pl.when(pl.col("ts").is_null()).then(pl.lit("none")).otherwise(pl.lit("stated")),
        )
        own = {name: pl.col(name) for name in placed.columns}
        own["host"] = pl.coalesce(*([own["host"]] if "host" in own else []), pl.lit(origin.host, pl.String))
        return placed.select(
            own.get(name, pl.lit(None)).cast(kind, strict=False).alias(name) for name, kind in _SCHEMA.items()
        )

    def _rest(self, events: Events, texts: list[str], offsets: list[int], first: int, tally: _Tally) -> list[Stretch]:
        """What of the lines is no row."""
        what = np.zeros(len(texts), np.uint8)
        what[list(events.skipped)] = _HEADING
        for line, count in events.rows.select("line", "n_lines").iter_rows():
            what[line : line + count] = _ROW
        for line in np.flatnonzero(what == _REJECT).tolist():
            if not texts[line] or texts[line].isspace():
                what[line] = _BLANK
        tally.rejects += int((what == _REJECT).sum())
        edges = [0, *(np.flatnonzero(np.diff(what)) + 1).tolist(), len(what)]
        kinds = {
            _REJECT: ("reject", f"line not understood in {self.name}"),
            _HEADING: ("framing", "headings"),
            _BLANK: ("padding", "blank"),
        }
        return [
            Stretch(offsets[at], offsets[end] - offsets[at], *kinds[int(what[at])], first + at)
            for at, end in pairwise(edges)
            if end > at and what[at] != _ROW
        ]


@dataclass(slots=True)
class _Tally:
    rejects: int = 0


@dataclass(slots=True)
class Rows:
    """Rows put together one by one: columns of text and numbers."""

    columns: dict[str, list[Any]] = field(default_factory=dict)

    def add(self, **values: Any) -> None:
        """One row; every row has the same columns."""
        for name, value in values.items():
            if isinstance(value, str) and not value.isascii():  # JSON can name halves of characters
                value = value.encode("utf-8", "backslashreplace").decode()
            self.columns.setdefault(name, []).append(value)

    def frame(self, **kinds: pl.DataType) -> pl.DataFrame:
        """The rows, with these columns also where there are none."""
        return pl.DataFrame(
            {name: pl.Series(self.columns.get(name, []), dtype=kind, strict=False) for name, kind in kinds.items()}
        )


def word(value: object) -> str:
    r"""A value as a word of a line: quoted as in JSON where it would not stand alone.

    Examples:
        >>> word("tcp"), word("a b"), word(["x", 1]), word(True), word("")
        ('tcp', '"a b"', '["x",1]', 'true', '""')
    """
    if isinstance(value, Number):
        return str(value)
    if isinstance(value, str):
        return value if _BARE.fullmatch(value) else json.dumps(value, ensure_ascii=False)
    return _plain(value)


def _plain(value: object) -> str:
    """JSON whose numbers are written as they were read."""
    if isinstance(value, Number):
        return str(value)
    if isinstance(value, list):
        return "[" + ",".join(_plain(one) for one in value) + "]"
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(name)}:{_plain(one)}" for name, one in value.items()) + "}"
    return json.dumps(value, ensure_ascii=False)


class Number(str):
    """A number of JSON as it is written: no digit of it passes through a float."""

    __slots__ = ()


_DECODER = json.JSONDecoder(strict=False, parse_float=Number, parse_int=Number, parse_constant=Number)


def json_object(text: str) -> dict[str, Any] | None:
    """An object of JSON, its numbers as written; None where it is none, or is nested too deeply to be an event."""
    text = text.strip()
    if text[:1] != "{" or text[-1:] != "}":
        return None
    try:
        value, end = _DECODER.raw_decode(text)
        if end != len(text) or not isinstance(value, dict):
            return None
        if text.count("[") + text.count("{") > _DEEP:
            _plain(value)
        return value
    except (ValueError, RecursionError):
        return None


def pairs(values: Sequence[tuple[str, object]]) -> str:
    """Fields as ``key=value``, one behind the other."""
    return " ".join(f"{name}={word(value)}" for name, value in values)
