"""What stands ahead, by its first octets: whether the rest of a line may be a log line of its own."""

from __future__ import annotations

import numpy as np

from forensics.loaders.lines._fields import digits, month
from forensics.loaders.lines._text import Bools, Ints, Text

_SPACE, _COLON, _DASH, _DOT, _COMMA, _STAR, _OPEN, _BRACE, _CLOSE = 32, 58, 45, 46, 44, 42, 91, 40, 41
_LEVEL_STARTS = np.array([int.from_bytes(level, "little") for level in (
    b"TRAC", b"DEBU", b"INFO", b"AUDI", b"WARN", b"ERRO", b"CRIT",
)], np.uint32)  # fmt: skip
_SIGNS = np.zeros(256, np.bool_)
_SIGNS[[*b"<{="]] = True
_DATE_COLUMNS = (0, 1, 2, 3, 5, 6, 8, 9, 11, 12, 14, 15, 17, 18)


def like_a_log(text: Text, at: Ints, end: Ints) -> Bools:
    """Whether a message might be a log line of its own, by how the framings begin that may stand behind a tag."""
    window = text.window(at, 4)
    first = window[:, 0]
    found: Bools = np.isin(window.view(np.uint32)[:, 0], _LEVEL_STARTS) | ((first - np.uint8(48)) < 10) | _SIGNS[first]
    # a day's name, and not the kernel's uptime
    found |= (first == _OPEN) & ((window[:, 1] - np.uint8(65)) < 26)
    # the name of a logger, and a colon behind it
    named = np.flatnonzero(first == _BRACE)
    window = text.window(at[named], 64)
    close = (window == _CLOSE).argmax(axis=1)
    inside = close > 0
    long = ~inside & (end[named] - at[named] > 64)
    inside &= at[named] + close + 1 < end[named]
    found[named] = long | (inside & (text.buffer[at[named] + close + 1] == _COLON))
    return found & (at < end)


def switch_stamp(text: Text, at: Ints, end: Ints) -> Bools:
    """Whether a month follows, a year and a month, or one of the marks that a switch puts before a doubtful stamp."""
    window = text.window(np.where(at + 8 < end, at, 0), 8)
    found = (month(window) > 0) | (window[:, 0] == _STAR) | (window[:, 0] == _DOT)
    found |= digits(window, (0, 1, 2, 3)) & (month(window[:, 5:]) > 0)
    there: Bools = found & (at + 8 < end)
    return there


def dated(text: Text, at: Ints, end: Ints) -> Bools:
    """Whether ``YYYY-MM-DD HH:MM:SS`` stands at each place, with a blank, a point or a comma behind it."""
    window = text.window(at, 20)
    shape = (window[:, 4] == _DASH) & (window[:, 7] == _DASH) & (window[:, 10] == _SPACE)
    shape &= (window[:, 13] == _COLON) & (window[:, 16] == _COLON) & (end - at > 20)
    behind = window[:, 19]
    shape &= (behind == _SPACE) | (behind == _DOT) | (behind == _COMMA)
    found: Bools = shape & digits(window, _DATE_COLUMNS)
    return found
