"""Log files of any framing: chunks of lines in, batches of log records out, and no octet unaccounted for."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import numpy as np
import polars as pl

from forensics._discovery import modules
from forensics.evidence import Stream, host_of
from forensics.loaders._line_format import LineFormat
from forensics.loaders._reader import Batch, Cuts, Origin, Stretch
from forensics.loaders.lines import _kernel
from forensics.loaders.lines._chunks import CHUNK_BYTES, Chunk, Chunks
from forensics.loaders.lines._clean import FILE_END, apart, peel, peel_continued, unescape
from forensics.loaders.lines._fast import read_fast
from forensics.loaders.lines._fields import Fields, Stamps, distinct
from forensics.loaders.lines._frame import SMALL_BYTES, name_of, rows
from forensics.loaders.lines._join import LONGEST_MESSAGE, Grouping, grouped
from forensics.loaders.lines._lone import stretches
from forensics.loaders.lines._losses import Loss, losses, may_lose
from forensics.loaders.lines._marks import marks
from forensics.loaders.lines._slow import LAST_RESORT, Grammar, read_lines
from forensics.loaders.lines._text import Bools, Ints, Text, lines_of
from forensics.loaders.lines._times import RecordClock
from forensics.loaders.lines._wrapped import join_wrapped
from forensics.records import LogRecord

UPTIME = "kernel-uptime"
_CONSOLE = re.compile(r"console\.log[\w.-]*$")
MARKS = "marks"
"""A fact for the observer of releases alone: what of the chunk's lines its rows do not show, and where."""
UNRECOGNISED = "unrecognised, generic"
"""The format of a file most of whose lines begin with a stamp, and are known by nothing else."""
_BOM, _UTF16 = b"\xef\xbb\xbf", (b"\xff\xfe", b"\xfe\xff")


@cache
def grammar() -> Grammar:
    """All framings that the folder ``lines`` has, by rank and name."""
    found: list[LineFormat] = []
    for module in modules("forensics.loaders.lines"):
        found.extend(getattr(module, "FORMATS", ()))
    return Grammar(tuple(sorted(found, key=lambda form: (form.rank, form.name))))


@cache
def _vague() -> frozenset[str]:
    """Framings of last resort."""
    return frozenset(form.name for form in grammar().formats if form.rank >= LAST_RESORT)


def classify(text: Text, fields: Fields, lines: Ints, *, fast: bool = True) -> dict[int, bytes]:
    """Read the header of each line that has one.

    Args:
        text: The lines.
        fields: Is filled.
        lines: Which lines to look at.
        fast: Whether to take the commonest framings apart by their octets first. The result is the same.

    Returns:
        Names of files that stood in front of lines, by line.
    """
    unescape(text, lines)
    left = _read(text, fields, lines, fast)
    again, names = peel(text, fields, left)
    if len(again):
        unescape(text, again)
        _read(text, fields, again, fast)
    whole = join_wrapped(text, fields, grammar().codes["oslo-bare"])
    if len(whole):
        _read(text, fields, whole, fast)
    return names


def _read(text: Text, fields: Fields, lines: Ints, fast: bool) -> Ints:
    """Read lines; gives those that have no header, less those that begin with a blank."""
    left = read_fast(text, fields, lines, grammar()) if fast else lines
    first = text.buffer[text.start[left]]
    left = left[(first != 32) & (first != 9)]
    compiled = _kernel.kernel()
    if compiled is not None and fast:
        left = left[(_kernel.possible(compiled, text, left) & 1).view(np.bool_)]
    read_lines(text, fields, left, grammar())
    unread: Ints = left[~fields.header[left]]
    return unread


@dataclass(slots=True)
class Parsed:
    """A chunk that has been read: its lines, their fields, and the records that they make."""

    text: Text
    fields: Fields
    records: Grouping
    apart: Bools
    reasons: dict[int, str]


def parsed(chunk: Chunk, number: int, *, fast: bool = True, uptimes: bool | None = None) -> Parsed:
    """Read the lines of a chunk, the first of which has this number.

    Args:
        chunk: What was read.
        number: Number of its first line.
        fast: Whether to use the fast reader where it can.
        uptimes: Whether the file is what `dmesg` prints; its first line tells, where None.
    """
    text = lines_of(chunk.octets, number, chunk.breaks, chunk.padded)
    if chunk.offset == 0 and len(text) and chunk.octets[:3].tobytes() == _BOM:
        text.start[0] = min(text.start[0] + 3, text.end[0])
    text.raw_start, text.raw_end = chunk.place(text.raw_start), chunk.place(text.raw_end)
    fields = Fields(len(text))
    lines = np.flatnonzero(text.end > text.start)
    if not len(lines):
        nothing = np.zeros(len(text), np.bool_)
        return Parsed(text, fields, grouped(text, fields, nothing), nothing, {})
    names = classify(text, fields, lines, fast=fast)
    if not (_starts_with_uptime(fields, lines) if uptimes is None else uptimes):
        _continue_uptimes(fields)
    peel_continued(text, fields, names)
    _hosts(text, fields, names)
    barrier, reasons = apart(text, fields)
    torn = barrier
    if chunk.left_out or chunk.breaks:  # what stands behind a hole in the evidence continues nothing
        torn = barrier | (np.concatenate([[False], text.raw_start[1:] != text.raw_end[:-1]]) & ~fields.header)
    return Parsed(text, fields, grouped(text, fields, torn), barrier, reasons)


def _starts_with_uptime(fields: Fields, lines: Ints) -> bool:
    return bool(fields.framing[lines[0]] == grammar().codes[UPTIME])


def _uptimes(name: str) -> bool | None:
    """The console of an instance has the words of its guest's kernel, not of the machine it is found on."""
    return False if _CONSOLE.search(name) else None


def _continue_uptimes(fields: Fields) -> None:
    """Elsewhere than in the kernel's own log, lines of a kernel are a guest's console text that somebody logged."""
    mine = np.flatnonzero(fields.framing == grammar().codes[UPTIME])
    fields.header[mine] = False
    fields.framing[mine] = 0
    fields.put("message", mine, *np.full((2, len(mine)), -1, np.int64))


def _hosts(text: Text, fields: Fields, names: dict[int, bytes]) -> None:
    """Give lines that name no host the one in whose file they were found, where its path tells."""
    found = {name: host_of(FILE_END.sub(b"", name).decode("utf-8", "backslashreplace")) for name in set(names.values())}
    lines = [line for line, name in names.items() if found[name] and fields.start["host"][line] < 0]
    if lines:
        which = np.array(lines, np.int64)
        start, end = text.append(pl.Series([found[names[line]] for line in lines], dtype=pl.String))
        fields.put("host", which, start, end)


@dataclass(slots=True)
class _Source:
    """What is remembered from chunk to chunk."""

    origin: Origin
    columns: Collection[str] | None
    clock: RecordClock
    framings: list[str]
    number: int = 1
    uptimes: bool | None = None
    """Whether it is what `dmesg` prints, once its first line has been seen."""
    seen: dict[str, int] = field(default_factory=dict)
    rejects: int = 0
    previews: int = 0
    pending: pl.DataFrame | None = None
    """A record too long to be held, whose end has not been seen: one row."""
    more_lines: int = 0
    more_bytes: int = 0
    marks: dict[str, int] = field(default_factory=dict)

    @property
    def state(self) -> dict[str, Any]:
        """All that later records need, as plain values; what is counted for `facts` is not among it."""
        return {"number": self.number, "uptimes": self.uptimes, "clock": self.clock.state}

    def resume(self, state: Mapping[str, Any]) -> None:
        """Go on where a source had this state."""
        self.number, self.uptimes = state["number"], state["uptimes"]
        self.clock.resume(state["clock"])

    def frame(self, part: Parsed) -> pl.DataFrame:
        first = part.records.first
        times = self.clock.times(_of(part.fields.inner, first), _of(part.fields.outer, first))
        return rows(
            part.text,
            part.fields,
            part.records,
            times,
            source=self.origin.source,
            host=self.origin.host,
            framings=self.framings,
            columns=self.columns,
        )

    def ended(self) -> pl.DataFrame:
        """The long record, now that its end is known."""
        assert self.pending is not None
        grown = {"n_lines": self.more_lines, "length_bytes": self.more_bytes}
        row = self.pending.with_columns(
            (pl.col(name) + more).cast(self.pending.schema[name])
            for name, more in grown.items()
            if name in self.pending.columns
        )
        self.pending, self.more_lines, self.more_bytes = None, 0, 0
        return row

    def facts(self) -> dict[str, str]:
        facts = self.clock.facts()
        if self.seen:
            vague = sum(count for name, count in self.seen.items() if name in _vague())
            commonest = max(sorted(self.seen), key=self.seen.__getitem__)
            facts["format"] = UNRECOGNISED if 2 * vague > sum(self.seen.values()) else commonest
        if self.rejects:
            facts["rejects"] = str(self.rejects)
        if self.marks:
            facts[MARKS] = " ".join(f"{name}={line}" for name, line in self.marks.items())
        return facts


def batches(
    stream: Stream,
    origin: Origin,
    *,
    columns: Collection[str] | None = None,
    chunk_bytes: int = CHUNK_BYTES,
    fast: bool = True,
    cuts: Cuts = Cuts(0),  # noqa: B008 - frozen
) -> Iterator[Batch]:
    """Read a log from its first octet to its last.

    A chunk ends in front of the record that may not be whole, so the next one begins with a record, and what is known
    between them is little: how much has been read ahead, the number of the line, the clocks. That is a mark, at the
    first such place behind each multiple of ``cuts.every_bytes``; none lies inside a record too long to be held, nor
    beside octets that were left out.

    Args:
        stream: The log, decompressed.
        origin: What is known about it.
        columns: Columns of `LogRecord` that are wanted; all where None. Losses need ``ts``, ``position``, ``message``.
        chunk_bytes: How much is read at a time.
        fast: Whether to use the fast reader where it can; the result is the same.
        cuts: Where to tell what is known, and the mark to go on from, the stream being at its ``base``. Reading goes on
            behind each mark, also where ``cuts.single``.

    Yields:
        Rows of `LogRecord` by position. ``facts`` has ``format`` (the commonest framing, or that none is known),
        ``rejects`` (lines of all stretches of that kind, which are merged where they touch), and what `RecordClock`
        found out.
    """
    if cuts.mark is None and stream.peek(2) in _UTF16:
        yield _refused(stream, "text in UTF-16")
        return
    source = _Source(origin, columns, RecordClock(origin), [form.name for form in grammar().formats])
    source.uptimes = _uptimes(origin.source)
    begin = 0, 0
    if cuts.mark is not None:
        source.resume(cuts.mark)
        begin = cuts.mark["base"], cuts.mark["held"]
    chunks = Chunks(stream, min(chunk_bytes, cuts.every_bytes or chunk_bytes), begin=begin)
    due = cuts.behind(begin[0])
    told = 0
    for chunk in chunks:
        part = parsed(chunk, source.number, fast=fast, uptimes=source.uptimes)
        if source.uptimes is None and len(part.text):
            source.uptimes = bool((part.fields.framing == grammar().codes[UPTIME]).any())
        sure = len(chunks.gaps) if chunk.final else chunks.told
        batch = _batch(chunk, chunks, part, source, chunks.gaps[told:sure])
        told = sure
        if due is not None and source.pending is None and chunks.begin is not None and chunks.begin[0] >= due:
            place = dict(zip(("base", "held"), chunks.begin, strict=True))
            batch = replace(batch, mark=place | source.state)
            due = cuts.behind(place["base"])
        yield batch


def _refused(stream: Stream, reason: str) -> Batch:
    scratch = memoryview(bytearray(1 << 20))
    while stream.readinto(scratch):
        pass
    return Batch({LogRecord: LogRecord.empty()}, (Stretch(0, stream.offset, "reject", reason),), (), {"note": reason})


def _batch(chunk: Chunk, chunks: Chunks, part: Parsed, source: _Source, gaps: list[Stretch]) -> Batch:
    text, records = part.text, part.records
    held = False
    taken = len(text)
    source.clock.days.whole = chunk.final and chunk.offset == 0
    if not chunk.final and len(records.first) and records.last[-1] == len(text) - 1:
        begin = int(records.first[-1])
        if text.raw_end[-1] - text.raw_start[begin] > LONGEST_MESSAGE:
            held = True
        else:
            taken = begin
            chunks.give_back(int(text.buffer_start[begin]))
            records = part.records = Grouping(records.first[:-1], records.last[:-1], records.lone)
    source.marks = marks(text, part.fields, grammar().codes["oslo-juno"])
    source.number = int(text.number[taken]) if taken < len(text) else source.number + text.feeds - len(chunk.breaks)
    frames: list[pl.DataFrame] = []
    lone = records.lone
    if source.pending is not None:
        lone = _absorb(part, source, lone)
        if len(lone) or len(records.first) or chunk.final:
            frames.append(source.ended())
    frame = source.frame(part)
    for chain, count in distinct(part.fields.framing.take(records.first)):
        name = name_of(chain, source.framings)
        source.seen[name] = source.seen.get(name, 0) + count
    if held:
        source.pending, frame = frame.tail(1), frame.head(-1)
    frames.append(frame)
    whole = pl.concat(frames) if len(frames) > 1 else frame
    admitted: tuple[Loss, ...] = ()
    if {"ts", "position", "message"} <= set(whole.columns):
        if frames[1:] or source.pending is not None:
            admitted = losses(whole)
        elif len(text.buffer) > SMALL_BYTES:
            speaking = _remarkable(part)
            if speaking is None or len(speaking):
                admitted = losses(whole if speaking is None else whole[speaking])
        elif may_lose(text.buffer.tobytes()):
            admitted = losses(whole)
    nul = tuple((None, None, "octets replaced by NUL", gap.length_bytes) for gap in gaps)
    unread, rejects = stretches(text, lone, part.reasons)
    source.rejects += rejects
    return Batch({LogRecord: whole}, (*unread, *gaps), (*admitted, *nul), source.facts())


def _remarkable(part: Parsed) -> Ints | None:
    """Rows that may have a word of those that `losses` looks for; None for all, where nothing tells."""
    text, first = part.text, part.records.first
    if text.remarks is None:
        return None
    if not len(first) or not len(text.remarks):
        return np.zeros(0, np.int64)
    if text.remarks[-1] >= text.buffer_end[-1]:  # in a text that was put behind: an escape undone, a line cleaned
        return None
    lines = np.searchsorted(text.buffer_end, text.remarks, side="right")
    return np.unique(np.maximum(np.searchsorted(first, lines, side="right") - 1, 0))


def _absorb(part: Parsed, source: _Source, lone: Ints) -> Ints:
    """Give the lines at the start of a chunk to the long record before; returns those of no record that are left."""
    run = int((lone == np.arange(len(lone))).sum())
    walls = np.flatnonzero(part.apart[:run])
    gap = np.flatnonzero(part.text.raw_start[1:run] != part.text.raw_end[: max(run - 1, 0)]) + 1
    run = min([run, *walls[:1].tolist(), *gap[:1].tolist()])
    if run:
        source.more_lines += run
        source.more_bytes += int(part.text.raw_end[run - 1] - part.text.raw_start[0])
    return lone[run:]


def _of(stamps: Stamps, rows_: Ints) -> Stamps:
    return Stamps(stamps.kind.take(rows_), stamps.ns.take(rows_))


def likeness(head: bytes, name: str = "") -> float:
    """How much the first octets of a file are like a log, from 0 to 1.

    Lines with a header of some framing count in full, lines that continue a record by half; a stamp alone
    (the framings of last resort) counts less, because so many files begin a line with one.
    """
    if head[:2] in _UTF16:
        head = head[: len(head) // 2 * 2].decode("utf-16", "replace").encode()
    head = head.lstrip(b"\0")
    cut = head.rfind(b"\n") + 1
    octets = np.frombuffer(head[:cut] if cut and len(head) > 32_768 else head, np.uint8)
    if not len(octets):
        return 0.0
    part = parsed(Chunk(octets, 0, [], [], True), 1, uptimes=_uptimes(name))
    told = (part.text.end > part.text.start) | part.fields.header  # a header may have an empty message behind it
    lines = int(told.sum())
    if not lines or not part.fields.header.any():
        return 0.0
    last_resort = [code for code, form in enumerate(grammar().formats, 1) if form.rank >= LAST_RESORT]
    vague = np.isin(part.fields.framing, last_resort) & part.fields.header
    clear = int(part.fields.header.sum() - vague.sum())
    following = np.concatenate([[0], np.cumsum(told)])
    continued = int((following[part.records.last + 1] - following[part.records.first + 1]).sum())
    continued -= int(part.fields.header.sum()) - len(part.records.first)
    return min(1.0, (clear + 0.4 * int(vague.sum()) + 0.5 * max(0, continued)) / lines)
