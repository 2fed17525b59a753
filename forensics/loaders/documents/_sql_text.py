"""Fields of a dump as text: literals of SQL, fields of COPY, INTO OUTFILE, batch output and CSV; null for NULL."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import polars as pl
import pyarrow as pa

from forensics.loaders.documents._sql_scan import Ints, Octets

_BLANKS = 8
# MySQL manual, table 11.1: \% and \_ keep their backslash, and a backslash before any other character vanishes.
_MYSQL = {"0": "\0", "b": "\b", "n": "\n", "r": "\r", "t": "\t", "Z": "\x1a", "%": "\\%", "_": "\\_"}
_PAIRS = {"\\" + chr(c): _MYSQL.get(chr(c), chr(c)) for c in range(32, 127)} | {"\\\t": "\t", "\\\n": "\n"}
# PostgreSQL manual, COPY, text format
_COPY = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_COPY_PAIRS = {"\\" + chr(c): _COPY.get(chr(c), chr(c)) for c in range(32, 127)} | {"\\\t": "\t", "\\\n": "\n"}
_ODD = re.compile(
    rb"\s*(?:_\w+\s*|N|E|\w+\()?(?:(?P<base>[xXbB])?'(?P<text>.*)'|0x(?P<hex>[0-9A-Fa-f]*)|(?P<bare>.*?))\s*", re.DOTALL
)


def cells(octets: Octets, starts: Ints, ends: Ints) -> pl.Series:
    """Stretches of a buffer, in order and disjoint, as a column of octets; nothing is copied."""
    bounds = np.empty(2 * len(starts), np.int64)
    bounds[0::2], bounds[1::2] = starts, ends
    if not len(bounds):
        return pl.Series([], dtype=pl.Binary)
    array = pa.LargeBinaryArray.from_buffers(
        pa.large_binary(), len(bounds) - 1, [None, pa.py_buffer(bounds), pa.py_buffer(octets)]
    )
    found = pl.from_arrow(array)
    assert isinstance(found, pl.Series)
    return found.gather_every(2)


def decoded(cell: pl.Series) -> pl.Series:
    r"""Octets as text; what is no UTF-8 is escaped with a backslash.

    Examples:
        >>> decoded(pl.Series([b"M\xc3\xbcller", b"M\xfcller", None])).to_list()
        ['Müller', 'M\\xfcller', None]
    """
    try:
        return cell.cast(pl.String)
    except pl.exceptions.ComputeError:
        told = [None if octets is None else octets.decode("utf-8", "backslashreplace") for octets in cell.to_list()]
        return pl.Series(told, dtype=pl.String)


def unescaped_text(text: pl.Series, pairs: dict[str, str]) -> pl.Series:
    """Text with its escapes replaced, each octet looked at once."""
    first = ["\\", *(pair for pair in pairs if pair[0] != "\\")]
    if not any(text.str.contains(mark, literal=True).any() for mark in first):
        return text
    return text.str.replace_many(list(pairs), list(pairs.values()))


def literals(octets: Octets, starts: Ints, ends: Ints, escapes: bool) -> pl.Series:
    r"""Literals of SQL as text: what quoted text says, digits as they are; null for NULL.

    Args:
        octets: The buffer.
        starts: Where each literal begins.
        ends: Where it ends.
        escapes: Whether a backslash escapes, as in MySQL.

    Examples:
        >>> text = rb"'it\'s','it''s',NULL,-4.5,_binary '\0x',0x6869,X'6869',b'101','a\\n\n'"
        >>> ends = np.array([7, 15, 20, 25, 39, 46, 54, 61, 70])
        >>> literals(np.frombuffer(text, np.uint8), np.append(0, ends[:-1] + 1), ends, True).to_list()
        ["it's", "it's", None, '-4.5', '\x00x', 'hi', 'hi', '5', 'a\\n\n']
    """
    if not len(starts):
        return pl.Series([], dtype=pl.String)
    starts, ends = _stripped(octets, starts, ends)
    first = octets[np.minimum(starts, len(octets) - 1)]
    size = ends - starts
    quoted = (first == 39) & (size >= 2)
    quoted &= octets[np.maximum(ends - 1, 0)] == 39
    null = (size == 4) & (first | 32 == 110) & (octets[np.minimum(starts + 1, len(octets) - 1)] | 32 == 117)
    digit = (first >= 48) & (first <= 57) | (first == 45)
    hexadecimal = (first == 48) & (size > 2) & (octets[np.minimum(starts + 1, len(octets) - 1)] | 32 == 120)
    odd = np.flatnonzero(~(quoted | null | (digit & ~hexadecimal)))
    text = decoded(cells(octets, starts + quoted, ends - quoted))
    doubled = {"''": "'"}
    text = unescaped_text(text, doubled | _PAIRS if escapes else doubled)
    if null.any():
        text = pl.select(pl.when(pl.Series(null)).then(None).otherwise(text)).to_series()
    if len(odd):
        told = [_odd(octets[a:b].tobytes(), escapes) for a, b in zip(starts[odd], ends[odd], strict=True)]
        text = text.scatter(odd, pl.Series(told, dtype=pl.String))
    return text.rename("")


def _stripped(octets: Octets, starts: Ints, ends: Ints) -> tuple[Ints, Ints]:
    for _ in range(_BLANKS):
        blank = (starts < ends) & (octets[np.minimum(starts, len(octets) - 1)] <= 32)
        if not blank.any():
            break
        starts = starts + blank
    for _ in range(_BLANKS):
        blank = (starts < ends) & (octets[np.maximum(ends - 1, 0)] <= 32)
        if not blank.any():
            break
        ends = ends - blank
    return starts, ends


def _odd(octets: bytes, escapes: bool) -> str | None:
    """A literal that is neither plain text nor a number: with a character set, in hexadecimal, in bits, a word."""
    found = _ODD.fullmatch(octets)
    if found is None:
        return octets.decode("utf-8", "backslashreplace")
    base, text = found["base"], found["text"]
    if found["hex"] is not None:
        base, text = b"x", found["hex"]
    if text is None:
        word = (found["bare"] or b"").decode("utf-8", "backslashreplace")
        return {"true": "1", "false": "0", "null": None}.get(word.lower(), word)
    try:
        if base in (b"x", b"X"):
            return bytes.fromhex(text.decode()).decode("utf-8", "backslashreplace")
        if base in (b"b", b"B"):
            return str(int(text[:64] or b"0", 2))
    except ValueError:
        return octets.decode("utf-8", "backslashreplace")
    plain = decoded(pl.Series([text], dtype=pl.Binary))
    told: str = unescaped_text(plain, {"''": "'"} | _PAIRS if escapes else {"''": "'"}).item()
    return told


def copied(octets: Octets, starts: Ints, ends: Ints) -> pl.Series:
    r"""Fields of COPY, of ``mysqldump --tab`` and of ``mysql --batch``; ``\N`` is null.

    Examples:
        >>> copied(np.frombuffer(rb"a\tb \N c\\N", np.uint8), np.array([0, 5, 8]), np.array([4, 7, 12])).to_list()
        ['a\tb', None, 'c\\N']
    """
    null = (ends - starts == 2) & (octets[np.minimum(starts, len(octets) - 1)] == 92)
    null &= octets[np.minimum(starts + 1, len(octets) - 1)] == 78
    text = unescaped_text(decoded(cells(octets, starts, ends)), _COPY_PAIRS | {"\\0": "\0", "\\Z": "\x1a"})
    return pl.select(pl.when(pl.Series(null)).then(None).otherwise(text)).to_series().rename("")


def quoted_fields(escapes: bool, quote: int = 34) -> Callable[[Octets, Ints, Ints], pl.Series]:
    r"""Fields of CSV.

    Args:
        escapes: Whether a backslash escapes (``INTO OUTFILE … ENCLOSED BY '"'``), and ``\N`` is null.
        quote: What fields may stand in.

    Examples:
        >>> text = np.frombuffer(b"'a ''b''',,c", np.uint8)
        >>> quoted_fields(False, 39)(text, np.array([0, 10, 11]), np.array([9, 10, 12])).to_list()
        ["a 'b'", None, 'c']
    """
    mark = chr(quote)

    def fields(octets: Octets, starts: Ints, ends: Ints) -> pl.Series:
        size = len(octets)
        inside = (ends - starts >= 2) & (octets[np.minimum(starts, size - 1)] == quote)
        inside &= octets[np.maximum(ends - 1, 0)] == quote
        text = decoded(cells(octets, starts + inside, ends - inside))
        pairs = {mark * 2: mark} | (_COPY_PAIRS | {"\\0": "\0", "\\Z": "\x1a"} if escapes else {})
        bare = pl.Series(~inside)
        null = bare & (text.is_in(["", "\\N", "NULL"]))
        read = unescaped_text(text, pairs)
        return pl.select(pl.when(null).then(None).otherwise(read)).to_series().rename("")

    return fields
