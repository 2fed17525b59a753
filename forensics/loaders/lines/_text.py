"""Lines of one chunk: where each lies in the evidence, and where its cleaned text lies in memory."""

from __future__ import annotations

import codecs
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from forensics.loaders.lines import _kernel
from forensics.loaders.lines._memory import whole_numbers

Bytes = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Places = npt.NDArray[np.signedinteger]

MARGIN = 128
"""Line feeds behind the text, so that a window that starts at the last octet stays inside."""
VIEW = pa.string_view()


@dataclass(slots=True)
class Text:
    """The lines of a chunk.

    ``start`` and ``end`` bound the text of each line in ``buffer`` (no line end, cleaned); ``raw_start`` and
    ``raw_end`` bound it in the evidence, line end included. ``number`` counts physical lines from one.
    ``buffer_start`` and ``buffer_end`` bound the line as it was read in ``buffer``, line end included. ``escaped`` is
    False where nothing in the text looks like an octal escape. ``feeds`` counts line feeds.
    """

    buffer: Bytes
    start: Ints
    end: Ints
    raw_start: Ints
    raw_end: Ints
    number: Ints
    buffer_start: Ints
    buffer_end: Ints
    escaped: bool = True
    feeds: int = 0
    _remarks: Ints | None = None

    def __len__(self) -> int:
        return len(self.start)

    @property
    def remarks(self) -> Ints | None:
        """Places of what each word of `losses` has, and each repetition; None where nothing finds them fast."""
        compiled = _kernel.kernel()
        if compiled is not None and self._remarks is None:
            self._remarks = _kernel.remarks(compiled, self.buffer)
        return self._remarks

    @property
    def remarkable(self) -> bool:
        """Whether there may be any."""
        found = self.remarks
        return found is None or bool(len(found))

    def window(self, at: Places, width: int) -> Bytes:
        """The ``width`` octets from each place on, one row each."""
        kind = np.dtype((np.void, width))
        view: npt.NDArray[np.void] = np.ndarray((len(self.buffer) - width + 1,), kind, self.buffer, 0, (1,))
        return view[at].view(np.uint8).reshape(len(at), width)

    def words(self, at: Ints) -> npt.NDArray[np.uint64]:
        """The eight octets from each place on, as a little-endian number."""
        view: npt.NDArray[np.uint64] = np.ndarray((len(self.buffer) - 7,), np.dtype("<u8"), self.buffer, 0, (1,))
        return view[at]

    def series(self, start: Places, end: Places) -> pl.Series:
        """Stretches of the text as a String column that shares its memory; null where ``start`` is negative."""
        column = pl.from_arrow(self.array(start, end))
        assert isinstance(column, pl.Series)
        return column

    def array(self, start: Places, end: Places) -> pa.Array:
        """The same as an Arrow array."""
        compiled = _kernel.kernel()
        if compiled is not None:
            views, bits, count = _kernel.views(compiled, self.buffer, start, end)
            if not count and len(start):
                return pa.nulls(len(start), VIEW)
            return self._column(len(start), pa.py_buffer(bits) if count < len(start) else None, pa.py_buffer(views))
        absent = start < 0
        some = bool(absent.any())
        if some and absent.all():
            return pa.nulls(len(start), VIEW)
        at = np.where(absent, 0, start) if some else start
        length = np.where(absent, 0, end - start) if some else end - start
        views = np.zeros((len(start), 4), np.int32)
        views[:, 0] = length
        short = length <= 12
        if short.all():
            views[:, 1:4] = self.window(at, 12).view(np.int32) & _KEEP[length]
        elif not short.any():
            views[:, 1] = self.window(at, 4).view(np.int32)[:, 0]
            views[:, 3] = at
        else:
            views[:, 1:4] = self.window(at, 12).view(np.int32) & _KEEP[np.where(short, length, 4)]
            views[:, 3] |= np.where(short, 0, at).astype(np.int32)
        valid = pa.py_buffer(np.packbits(~absent, bitorder="little")) if some else None
        return self._column(len(start), valid, pa.py_buffer(views))

    def _column(self, count: int, valid: pa.Buffer | None, views: pa.Buffer) -> pa.Array:
        return pa.Array.from_buffers(VIEW, count, [valid, views, pa.py_buffer(self.buffer)])

    def append(self, parts: pl.Series) -> tuple[Ints, Ints]:
        """Put strings behind the text; gives where they lie, -1 where a string is null."""
        joined = parts.cast(pl.Binary).to_arrow(compat_level=pl.CompatLevel.oldest())
        _, offset_buffer, data = joined.buffers()
        offsets = np.frombuffer(offset_buffer, np.int64)[joined.offset : joined.offset + len(parts) + 1]
        octets = np.frombuffer(data, np.uint8) if data is not None else np.zeros(0, np.uint8)
        base = len(self.buffer)
        self.buffer = np.concatenate([self.buffer, octets, np.full(MARGIN, 10, np.uint8)])
        start, end = base + offsets[:-1], base + offsets[1:]
        missing = parts.is_null().to_numpy()
        return np.where(missing, -1, start), np.where(missing, -1, end)


def _masks() -> npt.NDArray[np.int32]:
    table = np.zeros((13, 12), np.uint8)
    for length in range(13):
        table[length, :length] = 255
    return table.view(np.int32)


_KEEP = _masks()


def lines_of(chunk: Bytes, first_number: int, breaks: Sequence[int] = (), padded: Bytes | None = None) -> Text:
    r"""Split a chunk at its line feeds, and clean what must be cleaned for reading.

    A carriage return before the line feed and NUL octets at the end of a line are left out of the text; octets that
    are no UTF-8 are shown as ``\xNN``. Terminal colours (ESC [ … m) go. Nothing else changes.

    Args:
        chunk: Octets of whole lines; only the last line of a source may lack its line feed.
        first_number: Number of the first line.
        breaks: Indexes of line feeds that are not in the evidence: they stand for a hole in it.
        padded: The same octets with `MARGIN` more behind them, where they lie so in memory.
    """
    size = len(chunk)
    compiled = _kernel.kernel()
    feeds, told = (np.flatnonzero(chunk == 10), -1) if compiled is None else _kernel.split(compiled, chunk)
    if not size:
        none = np.zeros(0, np.int64)
        return Text(np.full(MARGIN, 10, np.uint8), none, none, none, none, none, none, none)
    count = len(feeds) + (not len(feeds) or int(feeds[-1]) != size - 1)
    start, end, raw_start, raw_end, number, buffer_end = whole_numbers(6, count)
    end[: len(feeds)] = feeds
    end[len(feeds) :] = size
    np.minimum(np.add(end, 1, out=raw_end), size, out=raw_end)
    raw_start[0], raw_start[1:] = 0, raw_end[:-1]
    start[:], buffer_end[:] = raw_start, raw_end
    number[:] = np.arange(first_number, first_number + count)
    buffer = np.concatenate([chunk, np.full(MARGIN, 10, np.uint8)]) if padded is None else padded
    if told & _kernel.RETURN:
        end -= (end > raw_start) & (buffer[end - 1] == 13)
    if len(breaks):
        torn = np.isin(raw_end - 1, np.asarray(breaks))
        raw_end = raw_end - torn
        number -= np.concatenate([[0], np.cumsum(torn)[:-1]])
        keep = raw_end > raw_start
        start, end, raw_end, number = start[keep], end[keep], raw_end[keep], number[keep]
        raw_start, buffer_end = start.copy(), np.maximum(np.minimum(end + 1, size), raw_end)
    text = Text(buffer, start, end, raw_start, raw_end, number, raw_start, buffer_end)
    text.escaped = bool(told & _kernel.OCTAL)
    text.feeds = len(feeds)
    if told & (_kernel.ZERO | _kernel.ESCAPE | _kernel.NOT_UTF8):
        _clean(text, chunk, told)
    return text


def replace(text: Text, lines: Ints, contents: list[bytes]) -> None:
    """Give some lines another text, put behind the buffer with a line feed after each."""
    if not len(lines):
        return
    base = len(text.buffer)
    lengths = np.array([len(content) for content in contents], np.int64)
    start = base + np.concatenate([[0], np.cumsum(lengths + 1)[:-1]])
    joined = np.frombuffer(b"\n".join(contents) + b"\n" * (MARGIN + 1), np.uint8)
    text.buffer = np.concatenate([text.buffer, joined])
    text.start[lines], text.end[lines] = start, start + lengths


COLOUR = re.compile(rb"\x1b\[[0-9;]*m")


def _clean(text: Text, chunk: Bytes, told: int) -> None:
    touched: set[int] = set()
    if told & _kernel.NOT_UTF8 and int(chunk.max()) >= 128 and not (told < 0 and _is_utf8(chunk)):
        touched.update(_lines_with(text, np.flatnonzero(chunk >= 128)))
    octets = chunk.tobytes()
    for octet in (0, 27):
        if octets.find(octet) >= 0:
            touched.update(_lines_with(text, np.flatnonzero(chunk == octet)))
    if not touched:
        return
    lines, contents = [], []
    for line in sorted(touched):
        before = text.buffer[text.start[line] : text.end[line]].tobytes()
        after = COLOUR.sub(b"", before.rstrip(b"\0").removesuffix(b"\r") if b"\0" in before[-1:] else before)
        after = after.decode("utf-8", "backslashreplace").encode()
        if after != before:
            lines.append(line)
            contents.append(after)
    replace(text, np.array(lines, np.int64), contents)


def _lines_with(text: Text, places: Ints) -> list[int]:
    found: list[int] = np.unique(np.searchsorted(text.raw_end, places, side="right")).tolist()
    return found


def _is_utf8(chunk: Bytes, step: int = 1 << 20) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for at in range(0, len(chunk), step):
            decoder.decode(chunk[at : at + step].tobytes())
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True
