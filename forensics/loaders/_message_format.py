"""What a message format is, as data, and the pass that reads narrower records out of log records.

A framing says when, where and by which program a line was written; a message format reads what the program said,
however the line was stored. Patterns run in Rust's regex engine, on the few rows that a cheap filter leaves.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache
from types import MappingProxyType
from typing import Any, ClassVar

import polars as pl

from forensics._discovery import modules
from forensics.loaders._line_format import Sample
from forensics.records import LogRecord, Record

__all__ = ["IP", "MAC", "MessageFormat", "MessageReader", "Sample", "leaves", "message_formats"]

OCTET = r"(?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])"
IP = rf"{OCTET}(?:\.{OCTET}){{3}}"
"""An IPv4 address, each number at most 255."""
MAC = r"[0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2}){5,19}"
"""A hardware address of six octets or more (InfiniBand has twenty)."""

Shape = Callable[[pl.DataFrame], pl.DataFrame]
_TAG = r"^(?:\S*/)?[A-Za-z][\w.@-]*(?:\[\d+\])?:\x20"
_REPEATED = r"^ ?message repeated \d+ times: \[ ?((?s:.*?))\]?$"
_MOST_REMEMBERED = 65_536


@dataclass(frozen=True, slots=True)
class MessageFormat:
    """One program's messages of one record.

    Args:
        name: Name of the format, as `forensics formats` lists it.
        record: The record that the messages become.
        reference: Upstream file and releases that write these messages.
        pattern: Rust regular expression in verbose mode for the first line of a message. A group named as a
            column of the record becomes that column, before a column of `LogRecord` of that name; of ``ip``,
            ``ip__2``, ``ip__3`` the first that matched becomes ``ip``. Other groups are there for ``shape``.
        said_by: A program, logger or framing that it is read from, for the samples.
        samples: One for each wording.
        program: Regular expression for the program's name without its path; one of it, ``logger`` and ``framing``
            is needed.
        logger: Regular expression for the logger's name.
        framing: Regular expression for the framing, for programs that name themselves by that alone.
        alone: Texts of which one must occur in a message that names no program (or logger); where empty, such
            messages are left.
        whole: Whether the pattern sees the whole message instead of its first line.
        constants: Columns that are the same for all messages.
        shape: Derives columns: takes the matched rows with the columns of `LogRecord` and all groups; a row that
            tells of several things may become several.
        remembers: Reads from all lines of the program what later lines need: see `MessageReader`.
    """

    name: str
    record: type[Record]
    reference: str
    pattern: str
    said_by: str
    samples: tuple[Sample, ...]
    program: str | None = None
    logger: str | None = None
    framing: str | None = None
    alone: tuple[str, ...] = ()
    whole: bool = False
    constants: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    shape: Shape | None = None
    remembers: type[Memory] | None = None

    @property
    def asks(self) -> str:
        """The column that says who speaks: ``program``, ``logger`` or ``framing``."""
        return "program" if self.program else "logger" if self.logger else "framing"

    @property
    def regex(self) -> str:
        """The pattern with the flag for verbose mode in front."""
        return "(?x)" + self.pattern

    def candidates(self, log_records: pl.DataFrame) -> pl.DataFrame:
        """The rows that the program (or logger) may have written, with the first line of the message as ``said``."""
        found = self.candidates_among(Speakers(log_records, [self]))
        return log_records.clear().with_columns(said=pl.Series([], dtype=pl.String)) if found is None else found

    def candidates_among(self, speakers: Speakers) -> pl.DataFrame | None:
        """The same, where the names of programs and loggers have been looked up before; None for no rows."""
        column, wanted = self.asks, self.program or self.logger or self.framing
        assert wanted is not None
        mine = _matching(wanted, speakers.names(column))
        silent = self.alone if speakers.silent(column) else ()
        if not mine and not silent:
            return None
        found = speakers.said(column, tuple(mine), silent)
        return found.with_columns(said=found["message"]) if self.whole else found

    def read(self, candidates: pl.DataFrame, memory: Memory | None = None) -> pl.DataFrame:
        """Rows of the record, in the order of the lines."""
        rows = candidates.filter(candidates["said"].str.contains(self.regex))
        if rows.is_empty():
            return self.record.empty()
        # columns are put together one by one: a query over so many would cost more than its work
        groups = rows["said"].str.extract_groups(self.regex).struct.unnest()
        found = {name: groups[name] for name in groups.columns if _stem(name) == name}
        several = {_stem(name) for name in groups.columns if _stem(name) != name}
        if several:
            merged = groups.select(_first_of(name, groups.columns) for name in sorted(several))
            found |= {name: merged[name] for name in merged.columns}
        passed = {name: rows[name] for name in rows.columns}
        told = {name: _same(value, pl.String(), rows.height) for name, value in self.constants.items()}
        rows = pl.DataFrame(passed | found | told)
        rows = rows if self.shape is None else self.shape(rows)
        rows = rows if memory is None else memory.fill(rows)
        # What does not fit its column (an xid beyond 32 bits) is no reason to lose the message.
        return pl.DataFrame(
            {
                name: rows[name].cast(kind, strict=False) if name in rows.columns else _same(None, kind, rows.height)
                for name, kind in _schema(self.record).items()
            }
        )


class Speakers:
    """A chunk of log records, and which programs and loggers speak in it: asked by many formats, looked up once."""

    def __init__(self, rows: pl.DataFrame, formats: Sequence[MessageFormat]) -> None:
        self.rows, self._formats = _unwrapped(rows), formats
        self._names: dict[str, list[str]] = {}
        self._silent: dict[str, pl.DataFrame] = {}
        self._said: dict[tuple[str, tuple[str, ...], tuple[str, ...]], pl.DataFrame] = {}

    def names(self, column: str) -> list[str]:
        """The different names in a column."""
        if column not in self._names:
            self._names[column] = self.rows[column].unique().drop_nulls().to_list()
        return self._names[column]

    def silent(self, column: str) -> bool:
        """Whether there are rows without a name that hold some text that a format looks for."""
        return bool(self._unnamed(column).height)

    def _unnamed(self, column: str) -> pl.DataFrame:
        """Rows without a name that hold a text of any of the formats: looked through once for all of them."""
        if column not in self._silent:
            unnamed = self.rows.filter(self.rows[column].is_null()) if self.rows[column].null_count() else None
            texts = [text for one in self._formats for text in one.alone if one.asks == column]
            if unnamed is None or not texts:
                self._silent[column] = self.rows.clear()
            else:
                self._silent[column] = unnamed.filter(unnamed["message"].str.contains_any(texts))
        return self._silent[column]

    def said(self, column: str, names: tuple[str, ...], alone: tuple[str, ...]) -> pl.DataFrame:
        """Rows under some names, and those under none with one of some texts in them; first lines as ``said``."""
        key = column, names, alone
        if key not in self._said:
            said = pl.col("message").str.extract(r"^([^\n]*)").str.strip_chars_end()
            found = [self.rows.lazy().filter(pl.col(column).is_in(names)).with_columns(said=said)] if names else []
            if alone:
                holds = pl.col("message").str.contains_any(list(alone))
                bare = said.str.replace(_TAG, "")
                found.append(self._unnamed(column).lazy().filter(holds).with_columns(said=bare))
            rows = pl.concat(found)
            self._said[key] = (rows.sort("position") if len(found) > 1 else rows).collect()
        return self._said[key]


class Memory:
    """What a format keeps from earlier lines of a source: see `forensics.loaders.messages.dhclient`."""

    heeds: ClassVar[str | None] = None
    """Names that alone it learns from, of those whose messages the format reads; None for all of them."""
    _STATE: ClassVar[Mapping[str, type[pl.DataType]]]
    _state: pl.DataFrame
    """All that later lines need: columns of `_STATE`."""

    @property
    def state(self) -> dict[str, list[Any]]:
        """All that later lines need, as plain values."""
        return self._state.to_dict(as_series=False)

    def resume(self, state: Mapping[str, list[Any]]) -> None:
        """Go on where another memory had this state."""
        self._state = pl.DataFrame(state, schema=self._STATE)

    def observe(self, candidates: pl.DataFrame) -> None:
        """Take in a further chunk of lines of the program."""
        raise NotImplementedError

    def fill(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Complete rows of the chunk that was observed last."""
        raise NotImplementedError


class MessageReader:
    """Reads the messages of one source, chunk after chunk, in the order of its lines.

    What a later line needs from an earlier one (the hardware address that a DHCP
    client named when it started) is kept from chunk to chunk, up to a fixed amount.
    """

    def __init__(self, records: Collection[type[Record]] | None = None) -> None:
        self._formats = [f for f in message_formats() if records is None or f.record in records]
        self._memories = {f.name: f.remembers() for f in self._formats if f.remembers is not None}

    @property
    def yields(self) -> tuple[type[Record], ...]:
        """The records that it can find."""
        return tuple(dict.fromkeys(f.record for f in self._formats))

    @property
    def state(self) -> dict[str, dict[str, list[Any]]]:
        """All that later lines need, as plain values."""
        return {name: memory.state for name, memory in self._memories.items()}

    def resume(self, state: Mapping[str, Mapping[str, list[Any]]]) -> None:
        """Go on where a reader of the same records had this state."""
        for name, memory in self._memories.items():
            memory.resume(state[name])

    def observe(self, log_records: pl.DataFrame) -> None:
        """Take in a further chunk only for what later lines need of it."""
        learning = [(one, self._memories[one.name]) for one in self._formats if one.name in self._memories]
        speakers = Speakers(log_records, [one for one, memory in learning if memory.heeds is None])
        for one, memory in learning:
            if memory.heeds is None:
                candidates = one.candidates_among(speakers)
            else:
                names = _matching(memory.heeds, speakers.names(one.asks))
                candidates = speakers.said(one.asks, tuple(names), ()) if names else None
            if candidates is not None and not candidates.is_empty():
                memory.observe(candidates)

    def leaves(self, log_records: pl.DataFrame) -> dict[type[Record], pl.DataFrame]:
        """Narrower records of a chunk of log records.

        Args:
            log_records: Rows of `LogRecord` of one source, by position.

        Returns:
            For each record that was found, its rows, by source and position.
            ``ts``, ``host``, ``source``, ``position`` and the byte range are those of the line.
        """
        parts: dict[type[Record], list[pl.DataFrame]] = {}
        speakers = Speakers(log_records, message_formats())
        for message_format in self._formats:
            candidates = message_format.candidates_among(speakers)
            if candidates is None or candidates.is_empty():
                continue
            memory = self._memories.get(message_format.name)
            if memory is not None:
                memory.observe(candidates)
            rows = message_format.read(candidates, memory)
            if not rows.is_empty():
                parts.setdefault(message_format.record, []).append(rows)
        return {record: _in_order(rows) for record, rows in parts.items()}


@cache
def message_formats() -> tuple[MessageFormat, ...]:
    """Every message format, by name: found by listing `forensics.loaders.messages`."""
    found: dict[str, MessageFormat] = {}
    for module in modules("forensics.loaders.messages"):
        for one in (*getattr(module, "FORMATS", ()), *([module.FORMAT] if hasattr(module, "FORMAT") else ())):
            if found.setdefault(one.name, one) is not one:
                raise TypeError(f"two message formats are called {one.name!r}; the second is in {module.__name__}")
    return tuple(found[name] for name in sorted(found))


def leaves(
    log_records: pl.DataFrame, records: Collection[type[Record]] | None = None
) -> dict[type[Record], pl.DataFrame]:
    """Narrower records of all log records of a source at once: see `MessageReader.leaves`.

    Args:
        log_records: Rows of `LogRecord`, by position.
        records: The records that are wanted; all where None.

    Examples:
        >>> row = {name: None for name in LogRecord.polars_schema()}
        >>> row |= {"source": "syslog", "position": 1, "offset_bytes": 0, "length_bytes": 90, "n_lines": 1}
        >>> row |= {"program": "dnsmasq-dhcp", "message": "DHCPACK(br100) 10.0.0.5 fa:16:3e:24:e7:22 host-5"}
        >>> found = leaves(pl.DataFrame([row], schema=LogRecord.polars_schema()))
        >>> [(record.__name__, rows["chaddr"][0], rows["yiaddr"][0]) for record, rows in found.items()]
        [('DhcpMessage', 'fa:16:3e:24:e7:22', '10.0.0.5')]
    """
    missing = set(LogRecord.polars_schema()) - set(log_records.columns)
    if missing:
        raise ValueError(f"not log records: without {', '.join(sorted(missing))}")
    return MessageReader(records).leaves(log_records)


def remembered(state: pl.DataFrame) -> pl.DataFrame:
    """The latest part of a state that stays within what may be remembered."""
    return state.tail(_MOST_REMEMBERED)


def _unwrapped(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows with the message itself where rsyslog says that it was repeated: such a line stands for so many more."""
    if "repeats" not in rows.columns or rows["repeats"].null_count() == rows.height:
        return rows
    quoted = pl.col("message").str.extract(_REPEATED)
    return rows.with_columns(message=pl.coalesce(pl.when(pl.col("repeats").is_not_null()).then(quoted), "message"))


@cache
def _stem(group: str) -> str:
    return re.sub(r"__\d+$", "", group)


def _first_of(name: str, groups: list[str]) -> pl.Expr:
    return pl.coalesce([group for group in groups if _stem(group) == name]).alias(name)


@cache
def _schema(record: type[Record]) -> pl.Schema:
    return record.polars_schema()


@lru_cache(maxsize=512)
def _one(value: str | None, kind: pl.DataType) -> pl.Series:
    return pl.Series([value], dtype=kind)


def _same(value: str | None, kind: pl.DataType, count: int) -> pl.Series:
    """One value in all rows."""
    return _one(value, kind).new_from_index(0, count)


_known: dict[str, dict[str, bool]] = {}


def _matching(wanted: str, names: list[str]) -> list[str]:
    """The names of programs that an expression finds; what it said of a name is remembered."""
    known = _known.setdefault(wanted, {})
    if len(known) > _MOST_REMEMBERED:
        known.clear()
    if new := [name for name in names if name not in known]:
        bare = pl.Series(new, dtype=pl.String).str.replace(r"^.*/", "")
        known.update(zip(new, bare.str.contains(wanted).to_list(), strict=True))
    return [name for name in names if known[name]]


def _in_order(rows: list[pl.DataFrame]) -> pl.DataFrame:
    """What several formats found in one source, by position."""
    if len(rows) == 1 and rows[0]["position"].is_sorted():
        return rows[0]
    return pl.concat(rows).sort("source", "position", maintain_order=True)
