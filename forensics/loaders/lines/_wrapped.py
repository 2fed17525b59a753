"""Lines of oslo.log that a book or a mail broke behind the logger's name: put together again before they are read."""

from __future__ import annotations

import re

import numpy as np
import polars as pl

from forensics.loaders.lines._fields import NO_STAMP, Fields
from forensics.loaders.lines._text import Ints, Text

_MOST_LINES = 16
_MOST_BYTES = 1 << 14
_OPENS = re.compile(rb"\[(?:-\]|(?:None |req-)[^\]]*)")
_ENDS = re.compile(rb"\" status: \d{3} {1,2}len: (?:\d+|None|-)(?: microversion: \S+)? time: \d+\.\d+$")
"""An access line is at its end here: what follows is somebody's prose."""
_HELD_TOGETHER = (b"/", b"&", b"?")
"""A break behind one of these is inside a path or an address."""


def join_wrapped(text: Text, fields: Fields, bare: int) -> Ints:
    """Give the first line of a record that was broken behind its logger the text of those that follow.

    Such a line is a header without a message; the next one begins with the brackets of the request's context. The
    lines that were joined count for their record, and say nothing more.

    Args:
        text: The lines.
        fields: What is known of them.
        bare: Number of the framing of headers without a context.

    Returns:
        The lines that are whole now, and are to be read again.
    """
    at = np.flatnonzero(fields.framing[:-1] == bare)
    at = at[fields.header[at] & (fields.start["message"][at] >= fields.end["message"][at])]
    if not len(at):
        return at
    at = at[(text.end[at + 1] > text.start[at + 1]) & ~fields.header[at + 1]]
    at = at[text.buffer[text.start[at + 1]] == ord("[")]
    joined: list[int] = []
    whole: list[str] = []
    for line in at.tolist():
        found, last = _joined(text, fields, line)
        if found is None:
            continue
        joined.append(line)
        whole.append(found.decode("utf-8", "backslashreplace"))
        text.end[line + 1 : last + 1] = text.start[line + 1 : last + 1]
    lines = np.array(joined, np.int64)
    if joined:
        text.start[lines], text.end[lines] = text.append(pl.Series(whole, dtype=pl.String))
        fields.framing[lines] = 0
        fields.header[lines] = False
        fields.inner.kind[lines] = NO_STAMP
    return lines


def _joined(text: Text, fields: Fields, line: int) -> tuple[bytes | None, int]:
    """The line with those that follow it, and the last of them."""
    whole = text.buffer[text.start[line] : text.end[line]].tobytes().rstrip()
    last = line
    for at in range(line + 1, min(line + 1 + _MOST_LINES, len(text.start))):
        part = text.buffer[text.start[at] : text.end[at]].tobytes().strip()
        if fields.header[at] or not part or len(whole) + len(part) > _MOST_BYTES:
            break
        if at == line + 1 and not _OPENS.match(part):
            break
        whole += part if whole.endswith(_HELD_TOGETHER) else b" " + part
        last = at
        if _ENDS.search(whole[-200:]):
            break
    return (whole, last) if last > line else (None, line)
