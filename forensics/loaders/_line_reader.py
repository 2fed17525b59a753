"""Log files of any framing: chunks of lines in, batches of log records out, and no octet unaccounted for."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np

from forensics._discovery import modules
from forensics.evidence import Stream
from forensics.loaders._line_format import LineFormat
from forensics.loaders._lines_chunks import CHUNK_BYTES, Chunk, Chunks
from forensics.loaders._lines_fast import CLOSE, SPACE, Places, dated, oslo, syslog, tag
from forensics.loaders._lines_fields import Fields, Stamps
from forensics.loaders._lines_frame import rows
from forensics.loaders._lines_join import Grouping, grouped
from forensics.loaders._lines_slow import Grammar, read_lines, read_wrapped
from forensics.loaders._lines_text import Bools, Ints, Text, lines_of
from forensics.loaders._lines_times import RecordClock
from forensics.loaders._reader import Batch, Origin, Stretch
from forensics.records import LogRecord


@cache
def grammar() -> Grammar:
    """All framings that the folder ``lines`` has, by rank and name."""
    found: list[LineFormat] = []
    for module in modules("forensics.loaders.lines"):
        found.extend(getattr(module, "FORMATS", ()))
    return Grammar(tuple(sorted(found, key=lambda form: (form.rank, form.name))))


def classify(text: Text, fields: Fields, lines: Ints, *, fast: bool = True) -> None:
    """Read the header of each line that has one.

    Args:
        text: The lines.
        fields: Is filled.
        lines: Which lines to look at.
        fast: Whether to take the commonest framings apart by their octets first. The result is the same.
    """
    if fast:
        lines = _fast(text, fields, lines)
    if len(lines):
        blank = (text.buffer[text.start[lines]] == SPACE) | (text.buffer[text.start[lines]] == 9)
        read_lines(text, fields, lines[~blank], grammar())


def _fast(text: Text, fields: Fields, lines: Ints) -> Ints:
    """Read what the fast reader knows; returns the lines that it left alone."""
    every, codes = grammar(), grammar().codes
    spaces, closes = Places(text.buffer, SPACE), Places(text.buffer, CLOSE)
    first = text.buffer[text.start[lines]]
    named = lines[(first >= ord("A")) & (first <= ord("S"))]
    framed, rest = syslog(text, fields, named, spaces, codes)
    stamped = dated(text, rest, text.end[framed])
    inner = framed[stamped]
    read = oslo(text, fields, inner, rest[stamped], spaces, closes, codes)
    left = ~np.isin(inner, read)
    read_wrapped(text, fields, inner[left], rest[stamped][left], every, tagged=True)
    framed, rest = framed[~stamped], rest[~stamped]
    tagged, message = tag(text, fields, framed, rest)
    untagged = ~np.isin(framed, tagged)
    read_wrapped(text, fields, framed[untagged], rest[untagged], every, tagged=True)
    fields.put("message", tagged, message, text.end[tagged])
    stamped = dated(text, message, text.end[tagged])
    read = oslo(text, fields, tagged[stamped], message[stamped], spaces, closes, codes)
    maybe = stamped | _like_a_log(text, message)
    maybe[np.isin(tagged, read)] = False
    read_wrapped(text, fields, tagged[maybe], message[maybe], every, tagged=False)
    numbered = lines[(first >= ord("0")) & (first <= ord("9"))]
    at = text.start[numbered]
    stamped = dated(text, at, text.end[numbered])
    oslo(text, fields, numbered[stamped], at[stamped], spaces, closes, codes)
    return lines[~fields.header[lines]]


_LEADS = np.zeros(256, np.bool_)
_LEADS[[*b"<({=TDIAWEC0123456789"]] = True
_SECONDS = np.zeros(256, np.bool_)
_SECONDS[[*b"REBNUWCAL\"'0123456789"]] = True


def _like_a_log(text: Text, at: Ints) -> Bools:
    """Whether a message might be a log line of its own: how all framings that need no wrapper begin."""
    window = text.window(at, 5)
    capital = (window[:, 0] >= 65) & (window[:, 0] <= 90) & (window[:, 1:4] >= 65).all(axis=1)
    capital &= (window[:, 1:4] <= 90).all(axis=1)
    number = ((window[:, :4] - np.uint8(48)) < 10).all(axis=1)
    sign = np.isin(window[:, 0], np.frombuffer(b"<({=[", np.uint8))
    found: Bools = capital | number | sign
    return found


@dataclass(slots=True)
class Parsed:
    """A chunk that has been read: its lines, their fields, and the records that they make."""

    text: Text
    fields: Fields
    records: Grouping


def parsed(chunk: Chunk, number: int, *, fast: bool = True) -> Parsed:
    """Read the lines of a chunk, the first of which has this number."""
    text = lines_of(chunk.octets, number)
    lines = np.flatnonzero(text.end > text.start)
    fields = Fields(len(text))
    if len(lines):
        classify(text, fields, lines, fast=fast)
    return Parsed(text, fields, grouped(text, fields, np.zeros(len(text), np.bool_)))


def batches(
    stream: Stream,
    origin: Origin,
    *,
    columns: Collection[str] | None = None,
    chunk_bytes: int = CHUNK_BYTES,
    fast: bool = True,
) -> Iterator[Batch]:
    """Read a log from its first octet to its last.

    Args:
        stream: The log, decompressed.
        origin: What is known about it.
        columns: Columns of `LogRecord` that are wanted; all where None.
        chunk_bytes: How much is read at a time.
        fast: Whether to use the fast reader where it can; the result is the same.
    """
    clock = RecordClock(origin)
    chunks = Chunks(stream, chunk_bytes)
    framings = [form.name for form in grammar().formats]
    number = 1
    for chunk in chunks:
        part = parsed(chunk, number, fast=fast)
        text, fields, records = part.text, part.fields, part.records
        text.raw_start, text.raw_end = chunk.place(text.raw_start), chunk.place(text.raw_end)
        keep = len(text)
        if not chunk.final and len(records.first) and records.last[-1] == len(text) - 1:
            keep = int(records.first[-1])
            chunks.give_back(chunk, int(text.buffer_start[keep]))
            records = Grouping(records.first[:-1], records.last[:-1], records.lone)
        number += keep
        first = records.first
        times = clock.times(_of(fields.inner, first), _of(fields.outer, first))
        frame = rows(
            text, fields, records, times, source=origin.source, host=origin.host, framings=framings, columns=columns
        )
        yield Batch({LogRecord: frame}, tuple(_rejects(text, records.lone)), (), clock.facts())


def _of(stamps: Stamps, rows: Ints) -> Stamps:
    return Stamps(stamps.kind[rows], stamps.ns[rows])


def _rejects(text: Text, lone: Ints) -> Iterator[Stretch]:
    if not len(lone):
        return
    breaks = np.flatnonzero(np.diff(lone) != 1) + 1
    for run in np.split(lone, breaks):
        begin, end = int(text.raw_start[run[0]]), int(text.raw_end[run[-1]])
        yield Stretch(begin, end - begin, "reject", "line in no known framing", int(text.number[run[0]]))


def likeness(head: bytes) -> float:
    """How much the first octets of a file are like a log, from 0 to 1.

    Lines with a header of some framing count in full, lines that continue a record by half; a stamp alone
    (`generic`) counts less, because so many files begin a line with one.
    """
    cut = head.rfind(b"\n") + 1
    octets = np.frombuffer(head[:cut] if cut and len(head) >= 65_536 else head, np.uint8)
    if not len(octets):
        return 0.0
    part = parsed(Chunk(octets, 0, [], [], True), 1)
    said = part.text.end > part.text.start
    lines = int(said.sum())
    if not lines:
        return 0.0
    vague = part.fields.header & (part.fields.framing == grammar().codes.get("generic", 0))
    clear = int((part.fields.header & ~vague).sum())
    if not clear and not vague.any():
        return 0.0
    continued = int(part.records.last.sum() - part.records.first.sum())
    score = (clear + 0.4 * int(vague.sum()) + 0.5 * max(0, continued)) / lines
    return min(1.0, score)
