"""Every framing by its pattern: the definition, and the way for lines that the fast reader leaves alone."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
import numpy.typing as npt
import polars as pl

from forensics.loaders._line_format import LineFormat
from forensics.loaders.lines._fields import (
    DAYLESS,
    LOCAL,
    NO_STAMP,
    SECOND_NS,
    TEXT_FIELDS,
    UNIVERSAL,
    UNREADABLE,
    YEARLESS,
    YEARLESS_UTC,
    Fields,
    instant,
)
from forensics.loaders.lines._json import of_json
from forensics.loaders.lines._text import Ints, Text

TAG = r"^(?P<program>[^\s:\[%][^\s:\[]{0,63})(?:\[(?P<pid>\d{1,10})\]:?|:) ?(?P<message>(?s:.*))$"
"""``program:`` or ``program[pid]:`` (RFC 3164 section 4.1.3); rsyslog cuts tags at 32 characters, others do not.

A per cent sign begins no name but the mnemonic of a switch: ``%LINK-3-UPDOWN: …``."""
TAG_WITHOUT_COLON = r"^(?P<program>[^\s:\[%][^\s:\[]{0,63}) (?P<message>(?s:.*))$"
"""A tag that only a blank ends: oslo's RFC handler before a stamp, and senders that name a priority."""
TAG_BEFORE_STAMP = r"^[^\s:\[]{1,64} \d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d"
TAG_WITH_VERSION = r"^(?P<program>[A-Za-z][\w.-]*) \d+(?:\.\d+)+: ?(?P<message>(?s:.*))$"
"""``syslogd 1.4.1: restart.``"""
_NAMED = re.compile(r"\(\?P<\w+>")
_RFC3339 = (
    r"^(?P<date>\d{4}-\d\d-\d\d)[T ](?P<time>\d\d:\d\d:\d\d)(?:[.,](?P<fraction>\d{1,9}))?\d*"
    r" ?(?P<zone>Z|UTC|[+-]\d\d:?\d\d)?$"
)
_DEEPEST = 4
_VOID = ("", "-", "None")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MONTH = {name.lower(): number for number, name in enumerate(_MONTHS, 1)}
_MONTH |= {form.format(n): n for n in range(1, 13) for form in ("{:02d}", "{}")}


@dataclass(frozen=True)
class Grammar:
    """All framings, in the order in which they are tried, and the number of each."""

    formats: tuple[LineFormat, ...]

    @cached_property
    def codes(self) -> dict[str, int]:
        """Number of each framing, from one."""
        return {form.name: code for code, form in enumerate(self.formats, 1)}

    @cached_property
    def stamped(self) -> list[LineFormat]:
        """Framings that stand for themselves, all ranks."""
        return [form for form in self.formats if not form.inner_only]

    @cached_property
    def wrapped(self) -> list[LineFormat]:
        """Framings that may stand inside another one, without those of last resort."""
        return [form for form in self.formats if form.rank < LAST_RESORT and not form.behind_host]

    @cached_property
    def tagged(self) -> list[LineFormat]:
        """Framings that may stand behind a syslog tag, or instead of it."""
        return [form for form in self.wrapped if form.inside]

    @cached_property
    def behind_host(self) -> list[LineFormat]:
        """Framings that may stand where a tag is expected, those that bring no stamp included."""
        own = [form for form in self.tagged if not form.inner_only]
        return own + [form for form in self.formats if form.behind_host]


LAST_RESORT = 9
"""Rank of the framing that takes whatever begins with a stamp."""


def read_lines(text: Text, fields: Fields, lines: Ints, grammar: Grammar) -> None:
    """Read lines by pattern, with whatever they wrap."""
    _read(text, fields, lines, grammar.stamped, grammar, 0)


def read_wrapped(text: Text, fields: Fields, lines: Ints, at: Ints, grammar: Grammar, *, tagged: bool) -> None:
    """Read on inside lines whose wrapper has been read, from ``at`` to the end of each.

    Args:
        text: The lines.
        fields: What is known of them; they have a header already.
        lines: Which of them.
        at: Where the wrapped text of each begins.
        grammar: All framings.
        tagged: Whether a tag may stand in front, as behind the host name of RFC 3164.
    """
    if not len(lines):
        return
    keep = text.start[lines].copy(), text.end[lines].copy()
    text.start[lines] = at
    fields.put("message", lines, at, text.end[lines])
    if tagged:
        _read_tagged(text, fields, lines, grammar, 1)
    else:
        _read(text, fields, lines, grammar.tagged, grammar, 1)
    text.start[lines], text.end[lines] = keep


def _read(text: Text, fields: Fields, lines: Ints, formats: Sequence[LineFormat], grammar: Grammar, depth: int) -> Ints:
    """Offer lines to the formats; returns those that none took."""
    if depth > _DEEPEST or not len(lines):
        return lines
    column = text.series(text.start[lines], text.end[lines])
    first = text.buffer[text.start[lines]]
    if len(lines) > _MANY:
        # one pass of one automaton tells the lines that none of many patterns can claim
        possible = column.str.contains(_union(formats)).to_numpy()
        skipped, lines, column, first = lines[~possible], lines[possible], column.filter(possible), first[possible]
    else:
        skipped = lines[:0]
    codes = grammar.codes
    for form in formats:
        if not len(lines):
            break
        able = _leads(form.leads)[first]
        if not able.any():
            continue
        mine = np.zeros(len(lines), np.bool_)
        mine[able] = column.filter(able).str.contains(form.regex).to_numpy()
        if not mine.any():
            continue
        _take(text, fields, lines[mine], column.filter(mine), form, codes[form.name], grammar, depth)
        lines, column, first = lines[~mine], column.filter(~mine), first[~mine]
    return np.concatenate([skipped, lines])


_MANY = 1000


def _union(formats: Sequence[LineFormat]) -> str:
    return "|".join(f"(?:{_NAMED.sub('(?:', form.regex)})" for form in formats)


@cache
def _leads(characters: str) -> npt.NDArray[np.bool_]:
    """Which octets a line may begin with."""
    table = np.full(256, not characters)
    table[[*characters.encode("ascii")]] = True
    return table


def _take(
    text: Text,
    fields: Fields,
    lines: Ints,
    column: pl.Series,
    form: LineFormat,
    code: int,
    grammar: Grammar,
    depth: int,
) -> None:
    plain = form.json is None
    groups = column.str.extract_groups(form.regex).struct.unnest() if plain else of_json(column, form.json or {})
    fields.framed(lines, code)
    kind, ns = stamps(groups)
    stamped = kind != NO_STAMP
    fields.stamp(lines[stamped], kind[stamped], ns[stamped])
    _numbers(fields, lines, groups)
    _texts(text, fields, lines, groups)
    if form.context == "bare":
        level = groups["severity"].is_in(["TRACE", "ERROR"]).fill_null(False).to_numpy()
        fields.trace[lines] = level
    fields.context[lines] = form.context == "given"
    fields.repeated[lines] = form.context == "repeated"
    for group in ("rest", "tagged"):
        if group not in groups.columns:
            continue
        start, end = text.append(groups[group].fill_null("").str.strip_chars_end("\r\n"))
        text.start[lines], text.end[lines] = start, end
        fields.put("message", lines, start, end)
        if group == "tagged":
            _read_tagged(text, fields, lines, grammar, depth + 1)
        else:
            _read(text, fields, lines, grammar.wrapped, grammar, depth + 1)


def _read_tagged(text: Text, fields: Fields, lines: Ints, grammar: Grammar, depth: int) -> None:
    wrapped = grammar.tagged
    lines = _read(text, fields, lines, grammar.behind_host, grammar, depth)
    if not len(lines):
        return
    column = text.series(text.start[lines], text.end[lines])
    spoken = (fields.priority[lines] >= 0) | column.str.contains(TAG_BEFORE_STAMP).to_numpy()
    for pattern in (TAG, TAG_WITH_VERSION, TAG_WITHOUT_COLON):
        mine = column.str.contains(pattern).to_numpy()
        if pattern is TAG_WITHOUT_COLON:
            mine = mine & spoken
        if mine.any():
            which = lines[mine]
            groups = column.filter(mine).str.extract_groups(pattern).struct.unnest()
            _numbers(fields, which, groups)
            _texts(text, fields, which, groups)
            text.start[which], text.end[which] = fields.start["message"][which], fields.end["message"][which]
            _read(text, fields, which, wrapped, grammar, depth)
        lines, column = lines[~mine], column.filter(~mine)
        spoken = spoken[~mine]


def _numbers(fields: Fields, lines: Ints, groups: pl.DataFrame) -> None:
    for group, target in (("pid", fields.pid), ("pri", fields.priority)):
        if group in groups.columns:
            value = groups[group].cast(pl.Int64, strict=False)
            there = value.is_not_null().to_numpy()
            target[lines[there]] = value.drop_nulls().to_numpy()


def _texts(text: Text, fields: Fields, lines: Ints, groups: pl.DataFrame) -> None:
    for name in TEXT_FIELDS:
        if name not in groups.columns:
            continue
        value = groups[name]
        if name == "severity":
            value = value.str.strip_chars().str.to_uppercase()
        if name == "message":
            value = value.fill_null("")
        else:
            value = pl.select(pl.when(~pl.lit(value).is_in(_VOID)).then(pl.lit(value))).to_series()
        there = value.is_not_null().to_numpy()
        if there.any():
            start, end = text.append(value)
            fields.put(name, lines[there], start[there], end[there])


def stamps(groups: pl.DataFrame) -> tuple[np.ndarray[tuple[int], np.dtype[np.int8]], Ints]:
    """Kind and nanoseconds of the stamp that the groups of a pattern spell."""
    count = groups.height
    have = set(groups.columns)
    for name, factor in (("epoch_us", 1000), ("epoch_ms", 1_000_000), ("epoch_s", SECOND_NS)):
        if name in have:
            return _epoch(groups[name], factor)
    if "stamp" in have:
        groups = groups["stamp"].str.extract_groups(_RFC3339).struct.unnest()
        have = set(groups.columns)
    if not have & {"time", "clock"}:
        return np.zeros(count, np.int8), np.zeros(count, np.int64)

    def part(column: pl.Series, missing: int = 0) -> Ints:
        return column.cast(pl.Int64, strict=False).fill_null(missing).to_numpy().astype(np.int64)

    clock = groups["time"] if "time" in have else groups["clock"]
    if "clock" in have:
        spelled = groups["clock"].str.replace(r"^(\d\d)(\d\d)(\d\d)$", "$1:$2:$3")
        clock = spelled if "time" not in have else pl.select(pl.coalesce(clock, spelled)).to_series()
    hour, minute, second = (part(clock.str.slice(at, 2).str.strip_chars_start(), 99) for at in (0, 3, 6))
    fraction = np.zeros(count, np.int64)
    if "fraction" in have:
        fraction = part(groups["fraction"].fill_null("").str.head(9).str.pad_end(9, "0"))
    if "millis" in have:
        fraction = fraction + part(groups["millis"]) * 1_000_000
    kind = LOCAL
    if "date" in have:
        date = groups["date"]
        year, month, day = (part(date.str.slice(at, size)) for at, size in ((0, 4), (5, 2), (8, 2)))
    elif "month" not in have:
        year, month, day = np.full(count, 1970), np.ones(count, np.int64), np.ones(count, np.int64)
        kind = DAYLESS
    else:
        month = part(groups["month"].str.to_lowercase().replace_strict(_MONTH, default=0, return_dtype=pl.Int64))
        day = part(groups["day"].str.strip_chars())
        stated = groups["year"] if "year" in have else pl.Series([None] * count, dtype=pl.String)
        year = part(stated, 2000)
        year = np.where(year < 100, year + 2000, year)
        if stated.null_count():
            kind = YEARLESS
    kinds, ns = instant(year, month, day, hour, minute, second, fraction, kind)
    if kind == YEARLESS and "year" in have:
        kinds = np.where((kinds == YEARLESS) & groups["year"].is_not_null().to_numpy(), LOCAL, kinds).astype(np.int8)
    if "zone" in have:
        offset = _offset_s(groups["zone"])
        told = offset.is_not_null().to_numpy() & (kinds == LOCAL)
        ns = ns - np.where(told, part(offset) * SECOND_NS, 0)
        in_utc = (kinds == YEARLESS) & (offset == 0).fill_null(False).to_numpy()
        kinds = np.where(told, UNIVERSAL, np.where(in_utc, YEARLESS_UTC, kinds)).astype(np.int8)
    missing = clock.is_null().to_numpy()
    return np.where(missing, NO_STAMP, kinds).astype(np.int8), np.where(missing, 0, ns)


def _epoch(column: pl.Series, factor: int) -> tuple[np.ndarray[tuple[int], np.dtype[np.int8]], Ints]:
    whole = column.str.extract(r"^(\d{1,18})", 1).cast(pl.Int64, strict=False)
    digits = column.str.extract(r"^[0-9]+\.([0-9]+)", 1).fill_null("").str.head(9)
    below = digits.str.pad_end(9, "0").cast(pl.Int64).to_numpy()
    value = whole.fill_null(0).to_numpy()
    fits = whole.is_not_null().to_numpy() & (value < 9_000_000_000 * (SECOND_NS // factor))
    ns = np.where(fits, value, 0) * factor + np.where(fits, below // (SECOND_NS // factor), 0)
    kind = np.where(fits, UNIVERSAL, np.where(column.is_null().to_numpy(), NO_STAMP, UNREADABLE))
    return kind.astype(np.int8), ns


def _offset_s(zone: pl.Series) -> pl.Series:
    """Seconds east of UTC of ``Z``, ``UTC``, ``+01:00``, ``+0100``; null for anything else, names of zones among it."""
    parts = zone.str.extract_groups(r"^(?P<sign>[+-])(?P<hour>[0-9]{2}):?(?P<minute>[0-9]{2})$").struct.unnest()
    size = pl.col("hour").cast(pl.Int64) * 3600 + pl.col("minute").cast(pl.Int64) * 60
    signed = pl.when(pl.col("sign") == "-").then(-size).otherwise(size)
    utc = pl.lit(zone).is_in(["Z", "z", "UTC", "GMT"])
    return parts.select(pl.when(utc).then(0).otherwise(signed)).to_series()
