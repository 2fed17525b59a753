"""What of a stream is no row, put together as it is read; and the octets of the stream, buffered."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import polars as pl

from forensics.evidence import Stream
from forensics.loaders._reader import Batch, Stretch
from forensics.loaders.documents._sql_scan import Flags, Ints, Rows
from forensics.records import Record

CHUNK_BYTES = 8 << 20


class Ledger:
    """A window of a stream that moves forward; every octet it leaves behind is a row's or in a stretch."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self.data = b""
        self.at = 0
        """Index in `data` of the first octet that is not done with."""
        self.line = 1
        """Number of the line that it is in."""
        self.ended = False
        self._base = 0
        self._stretches: list[Stretch] = []

    @property
    def offset(self) -> int:
        """Offset in the source of the first octet that is not done with."""
        return self._base + self.at

    @property
    def left(self) -> int:
        """Octets in the window."""
        return len(self.data) - self.at

    def fill(self) -> bool:
        """Read on; False at the end of the source."""
        more = b"" if self.ended else self._stream.read(CHUNK_BYTES)
        if not more:
            self.ended = True
            return False
        self.data, self._base, self.at = self.data[self.at :] + more, self._base + self.at, 0
        return True

    def skip(self, count: int, kind: str = "framing", reason: str = "statements") -> None:
        """The next octets are no row."""
        if count > 0:
            self.note(self.at, self.at + count, kind, reason)
            self.pass_by(count)

    def pass_by(self, count: int) -> None:
        """The next octets are accounted for."""
        self.line += self.data.count(b"\n", self.at, self.at + count)
        self.at += count

    def note(self, start: int, end: int, kind: str, reason: str) -> None:
        """Octets of the window, by index, are no row."""
        if end <= start:
            return
        last = self._stretches[-1] if self._stretches else None
        offset = self._base + start
        if last and (last.kind, last.reason, last.offset_bytes + last.length_bytes) == (kind, reason, offset):
            whole = last.length_bytes + end - start
            self._stretches[-1] = Stretch(last.offset_bytes, whole, kind, reason, last.position)
        else:
            position = self.line + self.data.count(b"\n", self.at, start)
            self._stretches.append(Stretch(offset, end - start, kind, reason, position))

    def places(self, rows: Rows, source: str) -> pl.DataFrame:
        """Where rows of the window stand; their indexes count from `at`."""
        text = np.frombuffer(self.data, np.uint8)[self.at : self.at + rows.taken]
        feeds = np.flatnonzero(text == 10)
        lines = self.line + np.searchsorted(feeds, np.maximum(rows.opens, rows.starts))
        return pl.DataFrame({
            "source": pl.repeat(source, len(rows.starts), eager=True),
            "position": lines,
            "offset_bytes": rows.starts + self.offset,
            "length_bytes": rows.ends - rows.starts,
        })  # fmt: skip

    def note_rest(self, rows: Rows, held: Flags, reason: str, kind: str = "framing") -> None:
        """Those rows of the window that no record holds."""
        free = np.flatnonzero(~held)
        if not len(free):
            return
        apart = rows.starts[free][1:] != rows.ends[free][:-1]
        firsts, lasts = np.append(True, apart), np.append(apart, True)
        starts: Ints = rows.starts[free][firsts]
        for start, end in zip(starts.tolist(), rows.ends[free][lasts].tolist(), strict=True):
            self.note(self.at + start, self.at + end, kind, reason)

    def batch(self, rows: dict[type[Record], pl.DataFrame] | None = None, facts: dict[str, str] | None = None,
              losses: tuple[tuple[int | None, int | None, str, int | None], ...] = ()) -> Batch:  # fmt: skip
        """A batch of rows with all stretches noted since the last one."""
        stretches, self._stretches = tuple(self._stretches), []
        return Batch(rows or {}, stretches, losses, facts or {})


def held(rows: Rows, offset: int, told: Collection[pl.DataFrame]) -> Flags:
    """Which rows some record holds."""
    parts = [frame["offset_bytes"].to_numpy() for frame in told if frame.height]
    if not parts:
        return np.zeros(len(rows.starts), bool)
    found: Flags = np.isin(rows.starts + offset, np.concatenate(parts))
    return found
