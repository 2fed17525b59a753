"""The commonest framings, taken apart with byte arithmetic over all lines of a chunk at once.

Each function reads what one pattern of `forensics.loaders.lines` defines, for the lines that fit its fixed columns,
and leaves every other line alone: the patterns read those. Where the compiled kernel is there, it does the same work
by the same rules.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from forensics.loaders.lines import _kernel
from forensics.loaders.lines._ahead import dated, like_a_log, switch_stamp
from forensics.loaders.lines._fields import (
    LOCAL,
    YEARLESS,
    Fields,
    digits,
    instant,
    month,
    two,
)
from forensics.loaders.lines._slow import Grammar, read_wrapped
from forensics.loaders.lines._text import Bools, Bytes, Ints, Text

SPACE, COLON, OPEN, CLOSE, DASH, DOT, COMMA, TAB, PERCENT = 32, 58, 91, 93, 45, 46, 44, 9, 37
LEVELS = (b"TRACE", b"DEBUG", b"INFO", b"AUDIT", b"WARNING", b"WARN", b"ERROR", b"CRITICAL")
_LEVEL_KEYS = np.sort(np.array([int.from_bytes(level, "little") for level in LEVELS], np.uint64))
_TRACE = np.uint64(int.from_bytes(b"TRACE", "little"))
_ERROR = np.uint64(int.from_bytes(b"ERROR", "little"))
_REQ = np.uint64(int.from_bytes(b"req-", "little"))
_NONE = np.uint64(int.from_bytes(b"None", "little"))
_INSTANCE = np.frombuffer(b"[instance: ", np.uint8)
_MASK = np.array([0] + [(1 << (8 * n)) - 1 for n in range(1, 9)], np.uint64)
_TENS = 10 ** np.arange(9, -1, -1, dtype=np.int64)
_NAME = np.zeros(256, np.bool_)
_NAME[[*b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-"]] = True
_ALPHA = np.zeros(256, np.bool_)
_ALPHA[[*b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_"]] = True
_HEX = np.zeros(256, np.bool_)
_HEX[[*b"0123456789abcdefABCDEF-"]] = True
_BLANK = np.zeros(256, np.bool_)
_BLANK[[9, 10, 11, 12, 13, 32]] = True
_TAG_END = _BLANK.copy()
_TAG_END[[COLON, OPEN]] = True

SYSLOG_COLUMNS = (7, 8, 10, 11, 13, 14)


def read_fast(text: Text, fields: Fields, lines: Ints, grammar: Grammar) -> Ints:
    """Read what this module knows, and hand over what such lines wrap; returns the lines that it left alone."""
    codes = grammar.codes
    compiled = _kernel.kernel()
    if compiled is not None:
        behind_host, behind_tag = _kernel.headers(compiled, text, fields, lines, codes)
        read_wrapped(text, fields, *behind_host, grammar, tagged=True)
        read_wrapped(text, fields, *behind_tag, grammar, tagged=False)
        return lines[~fields.header[lines]]
    spaces, closes = Places(text.buffer, SPACE), Places(text.buffer, CLOSE)
    first = text.buffer[text.start[lines]]
    named = lines[(first >= ord("A")) & (first <= ord("S"))]
    framed, rest = syslog(text, fields, named, spaces, codes)
    stamped = dated(text, rest, text.end[framed])
    inner = framed[stamped]
    read = oslo(text, fields, inner, rest[stamped], spaces, closes, codes)
    left = ~np.isin(inner, read)
    read_wrapped(text, fields, inner[left], rest[stamped][left], grammar, tagged=True)
    framed, rest = framed[~stamped], rest[~stamped]
    maybe = like_a_log(text, rest, text.end[framed])
    read_wrapped(text, fields, framed[maybe], rest[maybe], grammar, tagged=True)
    framed, rest = framed[~maybe], rest[~maybe]
    tagged, message = tag(text, fields, framed, rest)
    untagged = ~np.isin(framed, tagged)
    read_wrapped(text, fields, framed[untagged], rest[untagged], grammar, tagged=True)
    # where a stamp follows, the name in front of it is a switch's own and no program
    again = switch_stamp(text, message, text.end[tagged])
    nowhere = np.full(int(again.sum()), -1, np.int64)
    fields.put("program", tagged[again], nowhere, nowhere)
    fields.pid[tagged[again]] = -1
    read_wrapped(text, fields, tagged[again], rest[~untagged][again], grammar, tagged=True)
    tagged, message = tagged[~again], message[~again]
    fields.put("message", tagged, message, text.end[tagged])
    stamped = dated(text, message, text.end[tagged])
    read = oslo(text, fields, tagged[stamped], message[stamped], spaces, closes, codes)
    maybe = stamped | like_a_log(text, message, text.end[tagged])
    maybe[np.isin(tagged, read)] = False
    read_wrapped(text, fields, tagged[maybe], message[maybe], grammar, tagged=False)
    numbered = lines[(first >= ord("0")) & (first <= ord("9"))]
    at = text.start[numbered]
    stamped = dated(text, at, text.end[numbered])
    oslo(text, fields, numbered[stamped], at[stamped], spaces, closes, codes)
    return lines[~fields.header[lines]]


class Places:
    """Sorted places of one octet, to look up the next one from anywhere."""

    def __init__(self, buffer: Bytes, octet: int) -> None:
        self.at: Ints = np.append(np.flatnonzero(buffer == octet), [1 << 60] * 16)

    def first(self, places: Ints) -> Ints:
        """Index of the first one at or after each place."""
        found: Ints = np.searchsorted(self.at[:-16], places)
        return found


def syslog(text: Text, fields: Fields, lines: Ints, spaces: Places, framings: dict[str, int]) -> tuple[Ints, Ints]:
    """RFC 3164 stamps as rsyslog and journalctl write them: ``Mmm dd HH:MM:SS[.ffffff] host rest``.

    Returns:
        The lines that have one, and where the rest of each begins.
    """
    window = text.window(text.start[lines], 24)
    name = month(window)
    shape = (window[:, 3] == SPACE) & (window[:, 6] == SPACE) & (window[:, 9] == COLON) & (window[:, 12] == COLON)
    shape &= (name > 0) & (((window[:, 4] - np.uint8(48)) < 10) | (window[:, 4] == SPACE))
    shape &= digits(window, (5, *SYSLOG_COLUMNS))
    micro = (window[:, 15] == DOT) & (window[:, 22] == SPACE)
    shape &= micro | (window[:, 15] == SPACE)
    lines, window, name, micro = lines[shape], window[shape], name[shape], micro[shape]
    micro_digits = digits(window, (16, 17, 18, 19, 20, 21))
    after = text.start[lines] + np.where(micro, 23, 16)
    space = spaces.first(after)
    host_end = spaces.at[space]
    good = (host_end > after) & (host_end + 1 < text.end[lines]) & (~micro | micro_digits)
    good &= (text.buffer[after] != OPEN) & (text.buffer[after] != PERCENT)
    good &= (text.buffer[np.where(good, host_end, 1) - 1] != COLON) & (
        text.buffer[np.where(good, host_end, 0) + 1] != SPACE
    )
    lines, window, name, micro = lines[good], window[good], name[good], micro[good]
    after, host_end = after[good], host_end[good]
    fraction = np.zeros(len(lines), np.int64)
    for column in range(16, 22):
        fraction = fraction * 10 + np.where(micro, window[:, column].astype(np.int64) - 48, 0)
    tens = np.where(window[:, 4] == SPACE, 0, window[:, 4].astype(np.int64) - 48)
    day = tens * 10 + window[:, 5].astype(np.int64) - 48
    year = np.full(len(lines), 2000, np.int64)
    kind, ns = instant(year, name, day, two(window, 7), two(window, 10), two(window, 13), fraction * 1000, YEARLESS)
    fields.stamp(lines, kind, ns)
    fields.framed(lines, np.where(micro, framings["syslog-precise"], framings["syslog-traditional"]))
    fields.put("host", lines, after, host_end)
    return lines, host_end + 1


def tag(text: Text, fields: Fields, lines: Ints, at: Ints) -> tuple[Ints, Ints]:
    """Read ``program:`` or ``program[pid]:`` in front of a message.

    Returns:
        The lines that have such a tag, and where the message of each begins.
    """
    window = text.window(at, 64)
    stops = _TAG_END[window]
    length = stops.argmax(axis=1)
    stop = window[np.arange(len(lines)), length]
    end = text.end[lines]
    inside = (length > 0) & (at + length < end) & stops.any(axis=1) & (window[:, 0] != PERCENT)
    colon = inside & (stop == COLON)
    bracket = inside & (stop == OPEN)
    pid = np.full(len(lines), -1, np.int64)
    after = at + length + 1
    which = np.flatnonzero(bracket)
    inner = text.window(after[which], 12)
    closing = (inner == CLOSE).argmax(axis=1)
    number = _number(text, after[which], after[which] + closing)
    good = (number >= 0) & (after[which] + closing < end[which]) & (closing > 0)
    pid[which[good]] = number[good]
    bracket = np.zeros(len(lines), np.bool_)
    bracket[which[good]] = True
    after[which[good]] += closing[good] + 1
    followed = bracket & (after < end) & (text.buffer[after] == COLON)
    after += followed
    after += (after < end) & (text.buffer[after] == SPACE)
    good = colon | bracket
    fields.put("program", lines[good], at[good], (at + length)[good])
    fields.pid[lines[good]] = pid[good]
    return lines[good], after[good]


def oslo(
    text: Text, fields: Fields, lines: Ints, at: Ints, spaces: Places, closes: Places, framings: dict[str, int]
) -> Ints:
    """Lines of oslo.log and its ancestors, from the stamp on; ``at`` is where each stamp begins.

    Returns:
        The lines that were read; the others keep what they had.
    """
    if not len(lines):
        return lines
    window = text.window(at, 24)
    behind = window[:, 19]
    millis = (behind == DOT) | (behind == COMMA)
    good = ~millis | (digits(window, (20, 21, 22)) & (window[:, 23] == SPACE))
    lines, at, window, behind, millis = lines[good], at[good], window[good], behind[good], millis[good]
    end = text.end[lines]
    cursor = at + np.where(millis, 24, 20)
    space = spaces.first(cursor)
    first_end = spaces.at[space]
    pid = _number(text, cursor, np.minimum(first_end, end))
    has_pid = pid >= 0
    level_at = np.where(has_pid, first_end + 1, cursor)
    space = space + has_pid
    level_end = spaces.at[space]
    logger_at, logger_end = level_end + 1, spaces.at[space + 1]
    key = _word(text, level_at, level_end, end)
    known = _LEVEL_KEYS[np.minimum(np.searchsorted(_LEVEL_KEYS, key), len(LEVELS) - 1)] == key
    good = known & (logger_end < end)
    lines, at, window, behind, millis = lines[good], at[good], window[good], behind[good], millis[good]
    end, pid, key, space = end[good], pid[good], key[good], space[good] + 2
    level_at, level_end, logger_at, logger_end = level_at[good], level_end[good], logger_at[good], logger_end[good]
    good = _ALPHA[text.buffer[logger_at]] & (logger_end > logger_at)
    context = _Context(text, logger_end + 1, end, space, spaces, closes)
    # an unknown bracket may be a context that another pattern knows
    bare = good & ~context.opened
    bare[bare] = _named(text, logger_at[bare], logger_end[bare])
    shape = _generation(context.shape, behind, pid >= 0, framings)
    shape = np.where(bare, framings["oslo-bare"], shape)
    good &= (shape > 0) & (context.found | bare)
    good &= _instance_is_plain(text, context.after, end)
    lines, message = lines[good], context.after[good]
    end = end[good]
    kind, ns = _date_stamp(window[good], millis[good])
    fields.stamp(lines, kind, ns)
    fields.framed(lines, shape[good])
    has = pid[good] >= 0
    fields.pid[lines[has]] = pid[good][has]
    fields.put("severity", lines, level_at[good], level_end[good])
    fields.put("logger", lines, logger_at[good], logger_end[good])
    for name, (start, stop) in context.names.items():
        there = start[good] >= 0
        fields.put(name, lines[there], start[good][there], stop[good][there])
    fields.context[lines] = context.found[good]
    fields.trace[lines] = ~context.found[good] & ((key[good] == _TRACE) | (key[good] == _ERROR))
    _instance(text, fields, lines, message, end)
    return lines


def _word(text: Text, start: Ints, stop: Ints, end: Ints) -> npt.NDArray[np.uint64]:
    length = stop - start
    fits = (length > 0) & (length <= 8) & (stop < end)
    return text.words(np.where(fits, start, 0)) & _MASK[np.where(fits, length, 0)]


def _number(text: Text, start: Ints, stop: Ints) -> Ints:
    """The decimal number in each stretch, -1 where it is none (or has over ten digits)."""
    length = stop - start
    fits = (length > 0) & (length <= 10)
    length = np.where(fits, length, 1)
    right = text.window(np.maximum(np.where(fits, stop, 10) - 10, 0), 10) - np.uint8(48)
    used = np.arange(10) >= (10 - length)[:, None]
    # a stretch that ends before the tenth octet of the buffer cannot be read from its right end
    fits &= stop >= 10
    good = fits & ((right < 10) | ~used).all(axis=1)
    value: Ints = np.where(used, right, 0).astype(np.int64) @ _TENS
    return np.where(good, value, -1)


def _named(text: Text, start: Ints, stop: Ints) -> Bools:
    length = stop - start
    window = text.window(start, 64)
    inside = np.arange(64) < length[:, None]
    good: Bools = (_NAME[window] | ~inside).all(axis=1) & (length <= 64)
    return good


def _date_stamp(window: Bytes, millis: Bools) -> tuple[npt.NDArray[np.int8], Ints]:
    fraction = np.zeros(len(window), np.int64)
    for column in (20, 21, 22):
        fraction = fraction * 10 + np.where(millis, window[:, column].astype(np.int64) - 48, 0)
    year = two(window, 0) * 100 + two(window, 2)
    clock = (two(window, 11), two(window, 14), two(window, 17))
    return instant(year, two(window, 5), two(window, 8), *clock, fraction * 1_000_000, LOCAL)


_DASH, _THREE, _ONE, _FIVE, _GLOBAL, _DEVSTACK, _UUID = range(1, 8)
"""Shapes of the context bracket; 0 is none of them."""


class _Context:
    """The bracket with the request's ids, if there is one at each place."""

    def __init__(self, text: Text, at: Ints, end: Ints, space: Ints, spaces: Places, closes: Places) -> None:
        close = closes.at[closes.first(at)]
        opened = (at < end) & (text.buffer[np.minimum(at, len(text.buffer) - 1)] == OPEN) & (close < end)
        stop = np.where(opened, close, at)
        begin = at + opened
        inner = np.searchsorted(spaces.at[:-16], stop) - space
        tokens = np.where(opened, inner + 1, 0)
        ends = [np.minimum(spaces.at[np.minimum(space + k, len(spaces.at) - 1)], stop) for k in range(4)]
        starts = [begin, *(e + 1 for e in ends[:-1])]
        words = [text.words(np.minimum(np.where(opened, s, 0), stop)) & _MASK[4] for s in starts[:2]]
        lengths = [e - s for s, e in zip(starts, ends, strict=True)]
        request = _hexadecimal(text, starts[0] + 4, (words[0] == _REQ) & (lengths[0] == 40))
        second = _hexadecimal(text, starts[1] + 4, (words[1] == _REQ) & (lengths[1] == 40) & (tokens > 1))
        both = second & (request | ((words[0] == _NONE) & (lengths[0] == 4)))
        plain = request & ~both
        dash = opened & (stop - begin == 1) & (text.buffer[begin] == DASH)
        ident = tokens - np.where(both, 2, 1)
        shape = np.zeros(len(at), np.int64)
        shape[dash] = _DASH
        shape[plain & (ident == 2)] = _THREE
        shape[plain & (ident <= 1)] = _ONE
        shape[plain & (ident == 5)] = _FIVE
        shape[both & (ident == 6)] = _GLOBAL
        shape[both & (ident == 2)] = _DEVSTACK
        others = opened & (shape == 0) & (tokens == 3)
        shape[_hexadecimal(text, starts[0], others & (lengths[0] == 36))] = _UUID
        self.found = shape > 0
        instance = (text.window(at, 11) == _INSTANCE).all(axis=1)
        self.opened = (at < end) & (text.buffer[np.minimum(at, len(text.buffer) - 1)] == OPEN) & ~instance
        self.shape = shape
        self.after = np.where(self.found, stop + 1, at)
        self.after += self.found & (self.after < end) & (text.buffer[np.minimum(self.after, end)] == SPACE)
        known = self.found & ~dash
        self.names: dict[str, tuple[Ints, Ints]] = {
            "request_id": _pick(both, (starts[1], ends[1]), (starts[0], ends[0]), known),
            "global_request_id": _pick(both, (starts[0], ends[0]), (starts[0], ends[0]), both & request),
        }
        # since 2016 devstack writes project before user; only it writes names there, two of them (devstack b6753cea)
        swapped = both & (ident == 2)
        user = _pick(both, (starts[2], ends[2]), (starts[1], ends[1]), known & (ident >= 2))
        project = _pick(both, (starts[3], ends[3]), (starts[2], ends[2]), known & (ident >= 2))
        self.names["user_id"] = _said(text, _pick(swapped, project, user, known & (ident >= 2)))
        self.names["project_id"] = _said(text, _pick(swapped, user, project, known & (ident >= 2)))


def _hexadecimal(text: Text, at: Ints, where: Bools) -> Bools:
    """Whether 36 hexadecimal digits and dashes stand at those places that are asked for."""
    good = np.zeros(len(at), np.bool_)
    if where.any():
        good[where] = _HEX[text.window(at[where], 36)].all(axis=1)
    return good


def _pick(first: Bools, one: tuple[Ints, Ints], other: tuple[Ints, Ints], there: Bools) -> tuple[Ints, Ints]:
    start = np.where(there, np.where(first, one[0], other[0]), -1)
    return start, np.where(there, np.where(first, one[1], other[1]), -1)


def _said(text: Text, stretch: tuple[Ints, Ints]) -> tuple[Ints, Ints]:
    """Leave out ids that say nothing: ``-`` and ``None``."""
    start, end = stretch
    at = np.maximum(start, 0)
    length = end - start
    void = (length == 0) | ((length == 1) & (text.buffer[at] == DASH))
    void |= (length == 4) & ((text.words(at) & _MASK[4]) == _NONE)
    return np.where(void, -1, start), np.where(void, -1, end)


def _generation(shape: Ints, behind: npt.NDArray[np.uint8], pid: Bools, framings: dict[str, int]) -> Ints:
    """Which release's grammar it is, by the parts that are there; 0 where none fits."""
    usual = (shape == _DASH) | (shape == _THREE)
    old, comma, point = behind == SPACE, behind == COMMA, behind == DOT
    result = np.zeros(len(shape), np.int64)
    result[comma & ~pid & ((shape == _UUID) | (shape == _DASH))] = framings["oslo-diablo"]
    result[old & ~pid & usual] = framings["oslo-essex"]
    result[old & pid & usual] = framings["oslo-folsom"]
    result[point & ~pid & usual] = framings["oslo-grizzly"]
    result[point & pid & usual] = framings["oslo-havana"]
    result[point & pid & (shape == _ONE)] = framings["oslo-juno"]
    result[point & pid & (shape == _FIVE)] = framings["oslo-kilo"]
    result[point & pid & (shape == _GLOBAL)] = framings["oslo-zed"]
    result[point & pid & (shape == _DEVSTACK)] = framings["oslo-devstack"]
    return result


def _instance_is_plain(text: Text, at: Ints, end: Ints) -> Bools:
    """Whether there is no instance in front of the message, or one whose id is written in 36 characters."""
    opened = (text.window(at, 11) == _INSTANCE).all(axis=1) & (end - at > 11)
    which = np.flatnonzero(opened)
    uuid = text.window(at[which] + 11, 37)
    good = (uuid[:, 36] == CLOSE) & _HEX[uuid[:, :36]].all(axis=1) & (end[which] - at[which] > 47)
    opened[which[good]] = False
    plain: Bools = ~opened
    return plain


def _instance(text: Text, fields: Fields, lines: Ints, message: Ints, end: Ints) -> None:
    """Take ``[instance: UUID] `` off the front of the message."""
    opened = (text.window(message, 11) == _INSTANCE).all(axis=1) & (end - message > 11)
    which = np.flatnonzero(opened)
    uuid = text.window(message[which] + 11, 37)
    good = (uuid[:, 36] == CLOSE) & _HEX[uuid[:, :36]].all(axis=1) & (end[which] - message[which] > 47)
    which = which[good]
    start = message[which] + 11
    fields.put("instance", lines[which], start, start + 36)
    message = message.copy()
    message[which] = start + 37
    after = message[which]
    message[which] += (after < end[which]) & (text.buffer[after] == SPACE)
    fields.put("message", lines, message, end)
