"""Which lines make one record: tracebacks, tabs and blank lines after the line that has the stamp."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from forensics.loaders.lines import _kernel
from forensics.loaders.lines._fields import Fields
from forensics.loaders.lines._text import Bools, Ints, Text

LONGEST_MESSAGE = 1 << 20
PREVIEW_BYTES = 1 << 16
"""A message beyond the first size is shown by so much of its beginning; its row says how long it is."""


@dataclass(slots=True)
class Grouping:
    """Records as runs of lines.

    ``first`` and ``last`` are line indexes, both inclusive; ``lone`` are the lines of no record, in order.
    """

    first: Ints
    last: Ints
    lone: Ints


def grouped(text: Text, fields: Fields, barrier: Bools) -> Grouping:
    """Join continuation lines to the record before them.

    A line without a header continues the record before it. A traceback line that has a header of its own (``TRACE``,
    since oslo.log 1.2 ``ERROR``, without the context bracket) continues it where process and logger are the same.

    Args:
        text: The lines.
        fields: What is known of them.
        barrier: Lines that belong to no record and end the one before.
    """
    count = len(text)
    joined = _traces(text, fields, barrier)
    compiled = _kernel.kernel()
    if compiled is not None:
        return Grouping(*_kernel.groups(compiled, fields.header, joined, barrier))
    index = np.arange(count)
    starts = fields.header & ~joined & ~barrier
    last_start = np.maximum.accumulate(np.where(starts, index, -1)) if count else index
    last_barrier = np.maximum.accumulate(np.where(barrier, index, -1)) if count else index
    inside = (last_start > last_barrier) & (last_start >= 0)
    first = np.flatnonzero(starts)
    owner = last_start[inside]
    counts = np.bincount(owner, minlength=count)[first] if count else np.zeros(0, np.int64)
    return Grouping(first, first + counts - 1, np.flatnonzero(~inside))


def _traces(text: Text, fields: Fields, barrier: Bools) -> Bools:
    joined = np.zeros(len(text), np.bool_)
    traces = np.flatnonzero((fields.trace | fields.repeated) & fields.header)
    if not len(traces):
        return joined
    headers = np.flatnonzero(fields.header)
    place = np.searchsorted(headers, traces)
    traces, place = traces[place > 0], place[place > 0]
    before = headers[place - 1]

    def same(name: str) -> Bools:
        columns = [text.series(fields.start[name][rows], fields.end[name][rows]) for rows in (traces, before)]
        equal: Bools = columns[0].eq_missing(columns[1]).to_numpy()
        return equal

    pid, pid_before = fields.pid[traces], fields.pid[before]
    # Folsom and Grizzly write the process in traceback lines and not in lines with a context
    process = (pid == pid_before) | (pid_before < 0) | (pid < 0)
    severity = text.words(np.maximum(fields.start["severity"][traces], 0)) & np.uint64(0xFF)
    is_trace = severity == np.uint64(ord("T"))
    one_event = fields.inner.ns[traces] == fields.inner.ns[before]
    again = one_event & (fields.framing[traces] == fields.framing[before])
    if fields.repeated[traces].any():
        again &= same("severity")
    continues = np.where(fields.repeated[traces], again, is_trace | fields.context[before] | one_event)
    good = process & same("logger") & same("host") & continues
    # a line that belongs to no record parts what stands on either side of it
    walls = np.cumsum(barrier)
    good &= walls[traces] == walls[before]
    joined[traces[good]] = True
    return joined


def messages(text: Text, fields: Fields, records: Grouping) -> tuple[Ints, Ints]:
    """Where the message of each record lies, continuation lines joined with a line feed.

    Blank lines at the end of a record count as its lines, but add nothing to its message (eventlet's access lines end
    in a line feed of their own from Essex to Havana).
    """
    compiled = _kernel.kernel()
    if compiled is not None:
        start, end, odd = _kernel.messages(compiled, text, fields, records)
    else:
        start, end, odd = _plain(text, fields, records)
    if len(odd):
        _join(text, fields, records, odd, start, end)
    long = np.flatnonzero(end - start > LONGEST_MESSAGE)
    for row in long.tolist():
        stop = start[row] + PREVIEW_BYTES
        while text.buffer[stop] & 0xC0 == 0x80:
            stop -= 1
        end[row] = stop
    return start, end


def _plain(text: Text, fields: Fields, records: Grouping) -> tuple[Ints, Ints, Ints]:
    """The same for records whose lines need no copy to be joined; and which records have others."""
    start, end = (places["message"][records.first].astype(np.int64) for places in (fields.start, fields.end))
    own = text.end[records.first]
    start, end = np.where(start < 0, own, start), np.where(start < 0, own, end)
    several = np.flatnonzero(records.last > records.first)
    if not len(several):
        return start, end, several
    first, last = records.first[several], records.last[several]
    # the text of a line reaches up to its line feed, untouched: such lines need no copy to be joined
    plain = (text.start == text.buffer_start) & (text.end + 1 >= text.buffer_end) & ~fields.header
    odd = np.concatenate([[0], np.cumsum(~plain)])
    reaches = (fields.end["message"][first] == text.end[first]) & (text.end[first] + 1 >= text.buffer_end[first])
    reaches &= text.end[first] <= text.buffer_end[first]
    tail = (odd[last + 1] == odd[first + 1]) & reaches
    shown = _shown(text, fields, last)
    direct = several[tail]
    end[direct] = np.where(shown[tail] > first[tail], text.end[shown[tail]], end[direct])
    return start, end, several[~tail]


def _shown(text: Text, fields: Fields, last: Ints) -> Ints:
    """The last line of each record that is not blank."""
    blank = text.end <= text.start
    shown: Ints = np.maximum.accumulate(np.where(~blank | fields.header, np.arange(len(text)), 0))
    return shown[last]


def _join(text: Text, fields: Fields, records: Grouping, odd: Ints, start: Ints, end: Ints) -> None:
    first = records.first[odd]
    counts = _shown(text, fields, records.last[odd]) - first + 1
    owner = np.repeat(np.arange(len(odd)), counts)
    lines = np.repeat(first - np.concatenate([[0], np.cumsum(counts)[:-1]]), counts) + np.arange(counts.sum())
    headed = fields.header[lines]
    begin = np.where(headed, fields.start["message"][lines], text.start[lines])
    stop = np.where(headed, fields.end["message"][lines], text.end[lines])
    # a header without a message of its own (RabbitMQ's reports) leaves no blank line before what follows
    said = begin >= 0
    begin, stop = np.maximum(begin, 0), np.maximum(stop, 0)
    # a joined message that is far too long is only shown by its beginning: do not build all of it
    size = np.cumsum(stop - begin)
    before = np.concatenate([[0], size])[np.concatenate([[0], np.cumsum(counts)[:-1]])]
    near = (size - before[owner] <= 2 * LONGEST_MESSAGE) | (lines == first[owner])
    pieces = pl.DataFrame({"owner": owner, "piece": text.series(begin, stop)}).filter(pl.Series(near & said))
    joined = pieces.group_by("owner", maintain_order=True).agg(pl.col("piece").str.join("\n"))
    at, to = text.append(joined["piece"])
    rows = odd[joined["owner"].to_numpy()]
    start[rows], end[rows] = at, to
