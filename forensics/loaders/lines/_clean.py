"""What other tools did to lines on their way: prefixes of grep, octal escapes of rsyslog, separators, broken stamps."""

from __future__ import annotations

import re

import numpy as np

from forensics.loaders.lines import _kernel
from forensics.loaders.lines._fields import Fields, month
from forensics.loaders.lines._text import COLOUR, Bools, Ints, Text, replace

_STAMP = r"(?:<\d{1,3}>|\d{4}-\d\d-\d\d[ T]\d\d:|[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d)"
GREP = rf"^(?P<file>[^\s:][^\s]*?)(?::\d+:|-\d+-|[:-]){_STAMP}"
"""``grep -H``, ``grep -n`` and their context lines; file names have dashes of their own."""
LOGHUB = r"^(?P<file>[^\s:]*[A-Za-z]\S*?\.log\S*) \d{4}-\d\d-\d\d \d\d:\d\d:\d\d"
"""The name of the collected file before each line (logpai/loghub)."""
_GREP_HEAD = re.compile(rb"^[^\s:][^\s]*?(?::\d+:|-\d+-|[:-])(?=" + _STAMP.encode() + rb")")
FILE_END = re.compile(rb"(?::\d+:|-\d+-|[:-])\Z")
"""What `peel` took off behind the name of a file."""
_ESCAPE = re.compile(rb"#(0[0-3][0-7]|177)")
_INNER_PREFIX = re.compile(
    rb"\A\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(?:[.,]\d{1,6})? (?:\d{1,10} )?(?:TRACE|ERROR) [A-Za-z_][\w.\-]{0,63}"
    rb"(?: (?:\[instance: [0-9A-Fa-f-]{32,36}\] ?)?|\Z)(?!\[(?:-|req-|None req-))"
)
_APART = {
    "separator between matches of grep": r"^--$",
    "remark of journalctl": r"^-- (?:Logs begin|Journal begins|Reboot|Boot |No entries|Subject:|Support:)",
    "prompt of a shell": r"^(?:\$ |[\w.-]+@[\w.-]+:\S*[#$] )",
    "line with a stamp that names no time": r"^[A-Za-z]{3} [ \d]\d \d\d:\d\d:\d\d\b",
}
FRAMING = frozenset({"remark of journalctl"})
"""What of it is understood, and no loss."""


def unescape(text: Text, lines: Ints) -> None:
    """Undo rsyslog's octal escapes in lines that syslog wrote.

    A literal ``#`` is not escaped, so only ``#000`` to ``#037`` and ``#177`` are taken for escapes (rsyslog
    runtime/parser.c, control characters). Line feeds that come out of it part the message into lines; the prefix that
    oslo.log repeats before each line of a traceback is taken off the second line and all others.
    """
    if not text.escaped:
        return
    hashes = np.flatnonzero(text.buffer == ord("#"))
    behind = text.buffer[hashes + 1]
    hashes = hashes[(behind == ord("0")) | (behind == ord("1"))]
    if not len(hashes):
        return
    order = np.argsort(text.start[lines], kind="stable")
    starts = text.start[lines][order]
    place = np.searchsorted(starts, hashes, side="right") - 1
    inside = (place >= 0) & (hashes < text.end[lines][order][np.maximum(place, 0)])
    hit = np.unique(lines[order][place[inside]])
    hit = hit[_of_syslog(text, hit)]
    changed, contents = [], []
    for line in hit.tolist():
        before = text.buffer[text.start[line] : text.end[line]].tobytes()
        after = _ESCAPE.sub(lambda match: bytes([int(match[1], 8)]), before)
        if after == before:
            continue
        first, *others = COLOUR.sub(b"", after.rstrip(b"\0\r\n")).split(b"\n")
        joined = b"\n".join([first, *(_INNER_PREFIX.sub(b"", other) for other in others)])
        changed.append(line)
        contents.append(joined.decode("utf-8", "backslashreplace").encode())
    replace(text, np.array(changed, np.int64), contents)


def _of_syslog(text: Text, lines: Ints) -> Bools:
    window = text.window(text.start[lines], 11)
    named = (month(window) > 0) & (window[:, 3] == 32)
    found: Bools = named | (window[:, 0] == ord("<")) | (window[:, 10] == ord("T"))
    return found


def peel(text: Text, fields: Fields, lines: Ints) -> tuple[Ints, dict[int, bytes]]:
    """Take the name of a file off the front of lines that have a stamp behind it.

    Returns:
        The lines that had one, and the name by line.
    """
    if not len(lines):
        return lines, {}
    column = text.series(text.start[lines], text.end[lines])
    names: dict[int, bytes] = {}
    grep = column.str.contains(GREP).to_numpy()
    loghub = ~grep & column.str.contains(LOGHUB).to_numpy()
    if loghub.any():
        lengths = column.filter(loghub).str.extract(LOGHUB, 1).str.len_bytes().to_numpy().astype(np.int64)
        text.start[lines[loghub]] += lengths + 1
    for line in lines[grep].tolist():
        head = text.buffer[text.start[line] : text.end[line]].tobytes()
        found = _GREP_HEAD.match(head)
        if found:
            text.start[line] += found.end()
            names[line] = found[0]
    got = lines[grep | loghub]
    fields.peeled[got] = True
    return got, names


def peel_continued(text: Text, fields: Fields, names: dict[int, bytes]) -> None:
    """Take the same name off the lines that continue a record whose first line had it."""
    if not names:
        return
    current: re.Pattern[bytes] | None = None
    for line in range(min(names), len(text)):
        if line in names:
            stem = FILE_END.sub(b"", names[line])
            current = re.compile(rb"\A" + re.escape(stem) + rb"(?::\d+:|-\d+-|[:-])")
        elif fields.header[line]:
            current = None
        elif current is not None:
            found = current.match(text.buffer[text.start[line] : text.end[line]].tobytes()[:4096])
            if found:
                text.start[line] += found.end()
                fields.peeled[line] = True


def apart(text: Text, fields: Fields) -> tuple[Bools, dict[int, str]]:
    """Lines that belong to no record and end the one before: separators, remarks, prompts, broken stamps.

    Returns:
        Which lines, and the reason for each.
    """
    found = np.zeros(len(text), np.bool_)
    reasons: dict[int, str] = {}
    rest = np.flatnonzero(~fields.header & (text.end > text.start))
    if not len(rest):
        return found, reasons
    first = text.buffer[text.start[rest]]
    rest = rest[(first != 32) & (first != 9)]
    compiled = _kernel.kernel()
    if compiled is not None:
        rest = rest[_kernel.possible(compiled, text, rest) > 0]
    if not len(rest):
        return found, reasons
    column = text.series(text.start[rest], text.end[rest])
    mine = column.str.contains("|".join(f"(?:{pattern})" for pattern in _APART.values())).to_numpy()
    if not mine.any():
        return found, reasons
    rest, column = rest[mine], column.filter(mine)
    for reason, pattern in _APART.items():
        lines = rest[column.str.contains(pattern).to_numpy()]
        found[lines] = True
        for line in lines.tolist():
            reasons.setdefault(line, reason)
    return found, reasons
