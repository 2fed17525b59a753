"""What a document format is, and the engine that accounts for every line of a document that is read as a whole."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl

from forensics.evidence import Stream
from forensics.loaders._reader import Batch, Origin, Stretch
from forensics.records import Record

MOST_BYTES = 64 << 20
"""A document that must be read as a whole may be this long; no listing that a person takes comes near it."""
CHUNK_BYTES = 8 << 20
_ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_SOS = re.compile(r"(?:^|/)sos_commands/[^/]+/(?P<name>[^/]+)$")
_PROMPTED = re.compile(r"^\[?[\w.-]+@[\w.-]+[: ][^#$]{0,200}[#$] \S")
"""A prompt of a shell: a transcript, whatever its first command printed."""
_TYPED = "$ "
_ODD = (b"\0", b"\r", b"\x1b", "\ufeff".encode())


@dataclass(frozen=True, slots=True)
class Head:
    """The beginning of a file, as formats look at it to say whether it is theirs."""

    lines: tuple[str, ...]
    """Whole lines of the first 64 KiB, without line ends and colours."""
    name: str
    """Path inside the evidence: a hint, never a proof."""
    command: str | None
    """Command line that printed it, where a transcript or the name of a collected file tells."""

    @property
    def first(self) -> str:
        """The first line that is not blank; empty where there is none."""
        return next((line for line in self.lines if line.strip()), "")

    @property
    def sample(self) -> list[str]:
        """The first 200 lines that are not blank."""
        return [line for line in self.lines if line.strip()][:200]

    def share(self, pattern: re.Pattern[str]) -> float:
        """How many of the `sample` match, from 0 to 1."""
        told = self.sample
        return sum(1 for line in told if pattern.search(line)) / len(told) if told else 0.0


@dataclass(slots=True)
class Document:
    """A document, or a chunk of one that is read line by line.

    A reader goes through `lines` and says of each what it is: `add` makes a row of it, `skip` says that it was
    understood and holds nothing of its own. Blank lines need neither. What is left is a reject, counted and shown.
    """

    lines: list[str]
    """Text of the lines, without line ends and colours; what is no UTF-8 is escaped with a backslash."""
    origin: Origin
    head: Head
    state: dict[str, Any]
    """Kept from chunk to chunk."""
    first_line: int = 0
    """Index of the first line in the whole document."""
    _rows: dict[type[Record], list[dict[str, Any]]] = field(default_factory=dict)
    _frames: dict[type[Record], list[pl.DataFrame]] = field(default_factory=dict)
    _known: bytearray = field(default_factory=bytearray)
    facts: dict[str, str] = field(default_factory=dict)
    """Facts of the source, such as ``note``: see `Batch.facts`."""

    def __post_init__(self) -> None:
        self._known = bytearray(len(self.lines))

    def add(self, record: type[Record], line: int, count: int = 1, /, **values: Any) -> None:
        """One row.

        Args:
            record: What it is a row of.
            line: Index in `lines` of the first line that tells it.
            count: How many lines tell it.
            values: Columns; instants are nanoseconds since 1970, UTC. ``ts`` with ``ts_basis``, and ``host``, are
                those of the document where they are not given. What does not fit its column becomes null.
        """
        self._rows.setdefault(record, []).append({"line": line, "count": count, **values})
        self._mark(line, count, 2)

    def add_frame(self, record: type[Record], rows: pl.DataFrame) -> None:
        """Many rows at once: columns of the record, and ``line`` (and ``count``) as in `add`."""
        rows = rows if "count" in rows.columns else rows.with_columns(count=1)
        self._frames.setdefault(record, []).append(rows)
        for line, count in rows.select("line", "count").iter_rows():
            self._mark(line, count, 2)

    def skip(self, line: int, count: int = 1, /) -> None:
        """Lines that are understood, and hold nothing that a row would."""
        self._mark(line, count, 1)

    def _mark(self, line: int, count: int, kind: int) -> None:
        for at in range(line, min(line + count, len(self._known))):
            self._known[at] = max(self._known[at], kind)

    def batch(self, offsets: list[int], name: str, wanted: Collection[type[Record]] | None) -> Batch:
        """Rows and stretches; ``offsets`` has where each line starts, and where the last one ends."""
        rows = {
            record: self._frame(record, offsets)
            for record in dict.fromkeys((*self._rows, *self._frames))
            if wanted is None or record in wanted
        }
        return Batch(rows, tuple(self._stretches(offsets, name)), (), self.facts)

    def _frame(self, record: type[Record], offsets: list[int]) -> pl.DataFrame:
        schema = record.polars_schema()
        instants = {column for column, kind in schema.items() if isinstance(kind, pl.Datetime)}
        loose = {column: pl.Int64() if column in instants else kind for column, kind in schema.items()}
        own = {"line": pl.Int64(), "count": pl.Int64()}
        given = self._rows.get(record, [])
        parts = [
            pl.DataFrame(
                {name: pl.Series([row.get(name) for row in given], dtype=kind, strict=False)
                 for name, kind in (own | {n: k for n, k in loose.items() if any(n in row for row in given)}).items()}
            )
        ] if given else []  # fmt: skip
        parts += self._frames.get(record, [])
        ts, basis = self.taken()
        starts = pl.Series(offsets, dtype=pl.Int64)
        told: dict[str, Any] = {"ts": ts, "ts_basis": basis, "host": self.origin.host, "source": self.origin.source}
        frames = []
        for part in parts:
            ends = (part["line"] + part["count"]).clip(upper_bound=len(self.lines))
            begins = starts.gather(part["line"])
            placed = part.with_columns(
                position=part["line"] + self.first_line + 1,
                offset_bytes=begins,
                length_bytes=starts.gather(ends) - begins,
                source=pl.lit(self.origin.source),
            )
            if "ts" in part.columns and "ts_basis" not in part.columns:
                said = pl.when(pl.col("ts").is_null()).then(pl.lit(basis)).otherwise(pl.lit("stated"))
                placed = placed.with_columns(ts_basis=said)
            frames.append(
                placed.select(
                    _filled(placed, column, loose[column], told).cast(kind, strict=False).alias(column)
                    for column, kind in schema.items()
                )
            )
        return pl.concat(frames).sort("position", maintain_order=True)

    def taken(self) -> tuple[int | None, str]:
        """When the document was written, nanoseconds since 1970, and how that is known: a word of `TIME_BASES`."""
        return self.origin.taken()

    def _stretches(self, offsets: list[int], name: str) -> Iterator[Stretch]:
        kinds = {0: ("reject", f"line not understood in {name}"), 1: ("framing", "headings"), 3: ("padding", "blank")}
        what = np.frombuffer(bytes(self._known), np.uint8).copy()
        for at in np.flatnonzero(what == 0).tolist():
            if not self.lines[at] or self.lines[at].isspace():
                what[at] = 3
        edges = [0, *(np.flatnonzero(np.diff(what)) + 1).tolist(), len(what)]
        for at, end in pairwise(edges):
            if end > at and what[at] != 2:
                kind, reason = kinds[int(what[at])]
                yield Stretch(offsets[at], offsets[end] - offsets[at], kind, reason, self.first_line + at + 1)


def _filled(rows: pl.DataFrame, column: str, kind: pl.DataType, told: dict[str, Any]) -> pl.Expr:
    value = pl.lit(told.get(column), kind)
    if column not in rows.columns:
        return value
    if column in told:
        return pl.col(column).cast(kind, strict=False).fill_null(value)
    return pl.col(column)


@dataclass(frozen=True, slots=True)
class DocumentFormat:
    """A document that is read line by line, with what came before in mind.

    Args:
        name: Name of the format as `sources` shows it.
        records: What it yields; the one that matters most first. All stand side by side.
        reference: The program (source file, releases) that writes it.
        recognise: How sure it is, from 0 to 1, that a document begins like this one.
        read: Reads a document: see `Document`.
        chunked: Whether it may be given the document in pieces of whole lines, in order.
    """

    name: str
    records: tuple[type[Record], ...]
    reference: str
    recognise: Callable[[Head], float]
    read: Callable[[Document], None]
    chunked: bool = False

    @property
    def record(self) -> type[Record]:
        """See `Reader`."""
        return self.records[0]

    @property
    def bases(self) -> tuple[type[Record], ...]:
        """See `Reader`."""
        return self.records

    @property
    def yields(self) -> tuple[type[Record], ...]:
        """See `Reader`."""
        return self.records

    def likeness(self, head: bytes, name: str) -> float:
        """See `Reader`."""
        found = head_of(head, name)
        if not found.lines:
            return 0.0
        likeness = self.recognise(found)
        return min(likeness, 0.9) if likeness and _PROMPTED.match(found.first[:300]) else likeness

    def batches(
        self, stream: Stream, origin: Origin, *, records: Collection[type[Record]] | None = None
    ) -> Iterator[Batch]:
        """See `Reader`."""
        head = head_of(stream.peek(), f"{_TYPED}{origin.command}" if origin.command else origin.source)
        state: dict[str, Any] = {}
        first_line = 0
        for octets, offset, whole in _pieces(stream, CHUNK_BYTES if self.chunked else MOST_BYTES, self.chunked):
            if not whole:
                reason = f"behind {MOST_BYTES >> 20} MiB of one {self.name}"
                yield Batch({}, (Stretch(offset, len(octets), "reject", reason),))
                continue
            texts, offsets = lines_of(octets, offset)
            document = Document(texts, origin, head, state, first_line)
            self.read(document)
            yield document.batch(offsets, self.name, records)
            first_line += len(texts)


def _pieces(stream: Stream, size: int, chunked: bool) -> Iterator[tuple[bytes, int, bool]]:
    """Octets, where they start, and whether they are to be read; cut behind line feeds where it is chunked."""
    rest, offset, first = b"", 0, True
    while True:
        octets = stream.read(size - len(rest)) if size > len(rest) else b""
        whole = rest + octets
        if not whole:
            return
        if len(whole) < size or not chunked:
            yield whole, offset, chunked or first
            offset, rest, first = offset + len(whole), b"", False
            if len(whole) < size:
                return
            continue
        cut = whole.rfind(b"\n") + 1 or len(whole)
        yield whole[:cut], offset, True
        offset, rest = offset + cut, whole[cut:]


def lines_of(octets: bytes, offset: int) -> tuple[list[str], list[int]]:
    r"""Texts of lines as `plain` gives them, where each starts, and where the last one ends.

    Examples:
        >>> lines_of(b"a\nbc\r\n\nd", 5)
        (['a', 'bc', '', 'd'], [5, 7, 11, 12, 13])
    """
    feeds = np.flatnonzero(np.frombuffer(octets, np.uint8) == 10) + 1
    offsets = [offset, *(feeds + offset).tolist()]
    if not octets.endswith(b"\n"):
        offsets.append(offset + len(octets))
    if any(mark in octets for mark in _ODD):
        parts = octets.split(b"\n")
        return [plain(part) for part in (parts[:-1] if parts[-1] == b"" else parts)], offsets
    texts = octets.decode("utf-8", "backslashreplace").split("\n")
    return (texts[:-1] if texts[-1] == "" else texts), offsets


def plain(octets: bytes) -> str:
    r"""Text of a line: no carriage return at its end, no colours, no NUL.

    Examples:
        >>> plain(b"\x1b[01;36meth0\x1b[0m UP\r")
        'eth0 UP'
    """
    text = octets.decode("utf-8", "backslashreplace").rstrip("\r").replace("\0", "").removeprefix("﻿")
    return _ANSI.sub("", text) if "\x1b" in text else text


def command_of(name: str) -> str | None:
    """The command that printed a file, as the name of a collected file tells (sosreport mangles it so).

    Examples:
        >>> command_of("sosreport-cc12-2013/sos_commands/networking/ip_-d_address"), command_of("cc12/nova.log")
        ('ip -d address', None)
    """
    if name.startswith(_TYPED):
        return name.removeprefix(_TYPED)
    found = _SOS.search(name)
    return found["name"].replace("_", " ").strip() if found else None


@lru_cache(maxsize=4)
def head_of(head: bytes, name: str) -> Head:
    """The beginning of a file, taken apart once for all formats."""
    if b"\0" in head.rstrip(b"\0")[:4096]:
        return Head((), name, None)
    cut = (head.rfind(b"\n") + 1 if len(head) > 32_768 else 0) or len(head)
    return Head(tuple(plain(line) for line in head[:cut].split(b"\n")), name, command_of(name))
