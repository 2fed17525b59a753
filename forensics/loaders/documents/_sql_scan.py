"""Where the rows of a dump and their fields lie: found in whole chunks at once, quotes and escapes in mind."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Octets = npt.NDArray[np.uint8]

_LF, _CR, _QUOTE, _OPEN, _CLOSE, _COMMA, _SEMICOLON, _BACKSLASH = b"\n\r'(),;\\"
_LONG_RUN = 64
_NEAR = 8
"""At most so many octets (a comma, a line feed, blanks) stand between two rows of one statement."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Whole rows of a buffer, in order, with nothing between them."""

    starts: Ints
    """Where each row begins: behind the row before, so with the head of its statement where it is the first."""
    ends: Ints
    opens: Ints
    """The octet before each row's first field."""
    closes: Ints
    """The octet behind each row's last field."""
    separators: Ints
    """Every separator of fields in the buffer."""
    taken: int
    """Octets of the buffer that the rows, and what ends them, make up."""
    state: str
    """``more``: the list goes on behind the buffer; ``done``: it ended; ``odd``: what follows is no row."""

    def fields(self) -> Ints:
        """How many fields each row has."""
        first = np.searchsorted(self.separators, self.opens)
        last = np.searchsorted(self.separators, self.closes)
        counts: Ints = last - first + 1
        return counts

    def where(self, keep: Flags | slice) -> Rows:
        """Some of the rows."""
        return Rows(
            self.starts[keep],
            self.ends[keep],
            self.opens[keep],
            self.closes[keep],
            self.separators,
            self.taken,
            self.state,
        )

    def before(self, index: int) -> Rows:
        """Those in front of one that is none."""
        return replace(self.where(slice(index)), taken=int(self.starts[index]), state="odd")

    def columns(self, width: int, wanted: tuple[int, ...]) -> list[tuple[Ints, Ints]]:
        """Start and end of fields, for rows that all have ``width`` of them.

        Args:
            width: How many fields each row has.
            wanted: Which columns, from 0.
        """
        if width == 1:
            return [(self.opens + 1, self.closes) for _ in wanted]
        first = np.searchsorted(self.separators, self.opens)
        return [
            (
                self.opens + 1 if column == 0 else self.separators[first + (column - 1)] + 1,
                self.closes if column == width - 1 else self.separators[first + column],
            )
            for column in wanted
        ]


def _table(octets: bytes) -> Flags:
    table = np.zeros(256, bool)
    table[list(octets)] = True
    return table


_VALUES = _table(b"'(),;"), _table(b"'(),;\n")
_VALUES_COUNTED = _table(b"'();"), _table(b"'();\n")


def unescaped(octets: Octets, at: Ints) -> Flags:
    r"""Which of these places have no backslash before them, or an even number of them.

    Examples:
        >>> unescaped(np.frombuffer(rb"' \' \\'", np.uint8), np.array([0, 3, 7])).tolist()
        [True, False, True]
    """
    even = np.ones(len(at), bool)
    if not len(at):
        return even
    open_ = np.arange(len(at))
    for step in range(1, _LONG_RUN + 1):
        places = at[open_]
        open_ = open_[(places >= step) & (octets[np.maximum(places - step, 0)] == _BACKSLASH)]
        if not len(open_):
            return even
        even[open_] ^= True
    for one in open_:  # nobody writes such runs but somebody who means harm: each is looked at once
        even[one] = (int(at[one]) - _run_start(octets, int(at[one]))) % 2 == 0
    return even


def _run_start(octets: Octets, end: int) -> int:
    """Where the run of backslashes before a place begins."""
    size = 1024
    while end > 0:
        start = max(end - size, 0)
        others = np.flatnonzero(octets[start:end] != _BACKSLASH)
        if len(others):
            return start + int(others[-1]) + 1
        end, size = start, size * 4
    return 0


def values(octets: Octets, head: bytes, at_head: bool, escapes: bool, split: bool, anew: tuple[bytes, ...]) -> Rows:
    r"""Rows of ``INSERT INTO t VALUES (…),(…);``, and of the statements behind it that begin with the same words.

    Args:
        octets: A buffer that begins with such a statement, or in the middle of one, between two rows.
        head: The statement up to its first parenthesis of values.
        at_head: Whether the buffer begins with ``head``.
        escapes: Whether a backslash escapes what follows it (MySQL), or is itself (standard SQL).
        split: Whether fields are wanted; rows alone are found faster.
        anew: What begins a line only where no text can go on: a text that seems to was damaged.

    Examples:
        >>> text = rb"INSERT INTO t VALUES (1,'a),(\''),(2,NULL);" + b"\nUNLOCK"
        >>> rows = values(np.frombuffer(text, np.uint8), b"INSERT INTO t VALUES ", True, True, True, ())
        >>> [text[a:b] for a, b in zip(rows.starts, rows.ends)], rows.state
        ([b"INSERT INTO t VALUES (1,'a),(\\''),", b'(2,NULL);\n'], 'done')
    """
    size = broken = len(octets)
    strict = escapes and bool(anew)
    at: Ints = np.flatnonzero((_VALUES if split else _VALUES_COUNTED)[int(strict)][octets])
    kind = octets[at]
    quote = kind == _QUOTE
    if escapes and quote.any():
        dead = np.flatnonzero(quote)[~unescaped(octets, at[quote])]
        if len(dead):
            live = np.ones(len(at), bool)
            live[dead] = False
            at, kind, quote = at[live], kind[live], quote[live]
    inside = np.cumsum(quote, dtype=np.uint8) & 1
    hidden = at[(kind == _LF) & (inside == 1)]
    outside = (inside == 0) & ~quote
    at, kind = at[outside], kind[outside]
    step = (kind == _OPEN).astype(np.int8) - (kind == _CLOSE).astype(np.int8)
    depth = np.cumsum(step, dtype=np.int32)
    if strict:
        feed = kind == _LF
        broken = _broken(octets, hidden, at[feed], depth[feed], anew)
        sound = ~feed & (at < broken)
        at, kind, step, depth = at[sound], kind[sound], step[sound], depth[sound]
    heads, stop = _heads(octets, at[(kind == _SEMICOLON) & (depth == 0)], head, at_head)
    ends_at = size if stop is None else stop
    if len(head.translate(None, b"(),;")) < len(head) and len(heads):  # it lists columns
        nearest = np.maximum(np.searchsorted(heads, at, side="right") - 1, 0)
        own = (at < heads[nearest] + len(head)) & (at >= heads[nearest])
        at, kind, step = at[~own], kind[~own], step[~own]
        depth = np.cumsum(step, dtype=np.int32)
    known = at < ends_at
    if (depth[known] < 0).any():
        below = int(np.flatnonzero(depth < 0)[0])
        known[below:] = False
        ends_at, stop = int(at[below]), -1
    at, kind, depth = at[known], kind[known], depth[known]
    opens, closes = at[(kind == _OPEN) & (depth == 1)], at[(kind == _CLOSE) & (depth == 0)]
    separators = at[(kind == _COMMA) & (depth == 1)] if split else at[:0]
    return _rows(octets, heads, len(head), opens, closes, separators, stop, broken)


def _broken(octets: Octets, hidden: Ints, open_: Ints, depth: npt.NDArray[np.int32], anew: tuple[bytes, ...]) -> int:
    """Where a line begins as only a statement does, although none ended before it: something is missing there."""
    size = len(octets)
    odd = (octets[np.maximum(open_ - 1, 0)] != _SEMICOLON) | (depth != 0)
    feeds = np.sort(np.concatenate([hidden, open_[odd]]))
    begins = _table(bytes(mark[0] for mark in anew))[octets[np.minimum(feeds + 1, size - 1)]]
    longest = max(map(len, anew))
    for feed in feeds[begins].tolist():
        if not octets[feed + 1 : feed + 1 + longest].tobytes().startswith(anew):
            continue
        if octets[max(feed - 2, 0) : feed].tobytes() != b";\r":
            return int(feed) + 1
    return size


def _heads(octets: Octets, stops: Ints, head: bytes, at_head: bool) -> tuple[Ints, int | None]:
    """Where statements with the same head begin, and behind which semicolon the run of them ends."""
    size = len(octets)
    if not len(stops):
        return np.array([0] if at_head else [], np.int64), None
    behind = octets[np.minimum(stops + 1, size - 1)]
    after = octets[np.minimum(stops + 2, size - 1)]
    starts = stops + 1
    starts = np.where((starts < size) & (behind == _CR) & (after == _LF), starts + 1, starts)
    starts = np.where((starts < size) & (octets[np.minimum(starts, size - 1)] == _LF), starts + 1, starts)
    fits = starts + len(head) < size
    same = np.zeros(len(stops), bool)
    if fits.any():
        wanted = np.frombuffer(head, np.uint8)
        same[fits] = fits[fits]
        for index in range(len(head)):  # octet by octet of one head, over all statements
            same[fits] &= octets[starts[fits] + index] == wanted[index]
    first_other = int(np.argmin(same)) if not same.all() else len(same)
    heads = np.concatenate([np.array([0] if at_head else [], np.int64), starts[:first_other]])
    return heads, (int(starts[first_other]) if first_other < len(same) else None)


def _rows(
    octets: Octets, heads: Ints, head: int, opens: Ints, closes: Ints, separators: Ints, stop: int | None, broken: int
) -> Rows:
    """Rows that follow each other as rows of a statement do."""
    size, count = len(octets), len(closes)
    place = np.searchsorted(heads, opens, side="right") - 1
    first = np.zeros(len(opens), bool)
    if len(heads):
        own = heads[np.maximum(place, 0)]
        first = (place >= 0) & (own + head == opens)
    starts = np.where(first, own, opens) if len(heads) else opens.copy()
    if len(opens):
        near = np.ones(len(opens), bool)
        before = closes[: len(opens) - 1]
        behind, then = octets[np.minimum(before + 1, size - 1)], octets[np.minimum(before + 2, size - 1)]
        comma = (behind == _COMMA) | ((behind == _LF) & (then == _COMMA))  # mydumper breaks the line before it
        near[1:] = comma & (opens[1:] - before <= _NEAR)
        near[0] = opens[0] <= _NEAR
        good = first | near
        if not good.all():
            wrong = int(np.argmin(good))
            opens, starts, count, stop = opens[:wrong], starts[:wrong], min(count, wrong), -1
    elif stop is None and size > _NEAR and not len(heads):
        stop = -1
    closes = closes[:count]
    if count:
        last = int(closes[-1]) + 1
        if stop is not None and stop >= 0:
            taken = stop if len(opens) == count else int(starts[count])
        elif stop is None and len(opens) > count:
            taken = int(starts[count])
        else:
            taken = last + int(last < size and octets[last] == _COMMA)
    else:
        taken = stop if stop is not None and stop >= 0 and not len(opens) else 0
    state = "more" if stop is None else "done" if stop >= 0 and len(opens) == count else "odd"
    if state == "more" and broken < size:
        state = "odd"
    begins = starts[:count].copy()
    if count:
        begins[0] = 0
    ends = np.append(begins[1:], taken) if count else begins
    return Rows(begins, ends, opens[:count], closes, separators, taken, state)


def lines(octets: Octets, separator: int, quote: int | None, escapes: bool, final: bool) -> Rows:
    r"""Rows that are lines: of ``COPY``, ``INTO OUTFILE``, ``mysql --batch``, CSV.

    Args:
        octets: A buffer that begins with a row.
        separator: Between two fields.
        quote: What fields may stand in, so that they can hold separators and line feeds; doubled inside.
        escapes: Whether a backslash escapes a separator, a line feed or a quote.
        final: Whether the source ends with the buffer, so that the last row needs no line feed.

    Examples:
        >>> text = b'a,"x\n""y"\nb,\n'
        >>> rows = lines(np.frombuffer(text, np.uint8), 44, 34, False, True)
        >>> rows.fields().tolist(), [text[a:b] for a, b in zip(rows.starts, rows.ends)]
        ([2, 2], [b'a,"x\n""y"\n', b'b,\n'])
    """
    table = np.zeros(256, bool)
    table[[separator, _LF, *([quote] if quote is not None else [])]] = True
    at: Ints = np.flatnonzero(table[octets])
    if escapes:
        at = at[unescaped(octets, at)]
    kind = octets[at]
    if quote is not None:
        quotes = kind == quote
        outside = ((np.cumsum(quotes, dtype=np.uint8) & 1) == 0) & ~quotes
        at, kind = at[outside], kind[outside]
    stops = at[kind == _LF]
    size = len(octets)
    if final and size and (not len(stops) or stops[-1] != size - 1):
        stops = np.append(stops, size)
    starts = np.concatenate([np.zeros(1, np.int64), stops[:-1] + 1]) if len(stops) else stops
    ends = np.minimum(stops + 1, size)
    closes = stops - ((stops > starts) & (octets[np.maximum(stops - 1, 0)] == _CR))
    return Rows(starts, ends, starts - 1, closes, at[kind == separator], int(ends[-1]) if len(ends) else 0, "more")
