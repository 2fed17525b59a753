"""What a message format is, as data, and the pass that reads narrower records out of log records.

A framing says when, where and by which program a line was written; a message format reads what the program said,
however the line was stored. Patterns run in Rust's regex engine, on the few rows that a cheap filter leaves.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import cache
from types import MappingProxyType

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
_PASSED_ON = ("ts", "host", "source", "position", "offset_bytes", "length_bytes", "pid", "message")
_TAG = r"^(?:\S*/)?[A-Za-z][\w.@-]*(?:\[\d+\])?:\x20"
_MOST_REMEMBERED = 65_536


@dataclass(frozen=True, slots=True)
class MessageFormat:
    """One program's messages of one record.

    Args:
        name: Name of the format, as `forensics formats` lists it.
        record: The record that the messages become.
        reference: Upstream file and releases that write these messages.
        pattern: Rust regular expression in verbose mode for the first line of a message. A group named as a
            column of the record becomes that column; of ``ip``, ``ip__2``, ``ip__3`` the first that matched
            becomes ``ip``. Groups that are no columns are there for ``shape``.
        said_by: A program name that it is read from, for the samples.
        samples: One for each wording.
        program: Regular expression for the program's name without its path; it or ``logger`` is needed.
        logger: Regular expression for the logger's name.
        alone: Texts of which one must occur in a message that names no program; where empty, such messages are left.
        constants: Columns that are the same for all messages.
        shape: Derives columns: takes the matched rows with the columns of `LogRecord` and all groups.
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
    alone: tuple[str, ...] = ()
    constants: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    shape: Shape | None = None
    remembers: type[Memory] | None = None

    @property
    def regex(self) -> str:
        """The pattern with the flag for verbose mode in front."""
        return "(?x)" + self.pattern

    def candidates(self, log_records: pl.DataFrame) -> pl.DataFrame:
        """The rows that the program (or logger) may have written, with the first line of the message as ``said``."""
        column, wanted = ("program", self.program) if self.program else ("logger", self.logger)
        assert wanted is not None
        names = log_records[column].unique().drop_nulls()
        bare = names.str.replace(r"^.*/", "")
        named = pl.col(column).is_in(names.filter(bare.str.contains(wanted)).implode())
        if self.alone:
            named |= pl.col(column).is_null() & pl.col("message").str.contains_any(list(self.alone))
        rows = log_records.lazy().filter(named).collect()
        said = pl.col("message").str.extract(r"^([^\n]*)").str.strip_chars_end()
        untagged = pl.when(pl.col(column).is_null()).then(said.str.replace(_TAG, "")).otherwise(said)
        return rows.with_columns(said=untagged)

    def read(self, candidates: pl.DataFrame, memory: Memory | None = None) -> pl.DataFrame:
        """Rows of the record, in the order of the lines."""
        matched = candidates.filter(pl.col("said").str.contains(self.regex))
        if matched.is_empty():
            return self.record.empty()
        groups = matched["said"].str.extract_groups(self.regex).struct.unnest()
        columns = [_first_of(name, groups.columns) for name in dict.fromkeys(map(_stem, groups.columns))]
        passed = matched.select(*_PASSED_ON, *(c for c in ("program", "logger") if c in matched.columns))
        found = groups.select(columns)
        rows = pl.concat([passed.drop(set(passed.columns) & set(found.columns)), found], how="horizontal_extend")
        rows = rows.with_columns(**{name: pl.lit(value) for name, value in self.constants.items()})
        rows = rows if self.shape is None else self.shape(rows)
        rows = rows if memory is None else memory.fill(rows)
        schema = self.record.polars_schema()
        absent = [pl.lit(None, dtype=dtype).alias(name) for name, dtype in schema.items() if name not in rows.columns]
        # What does not fit its column (an xid beyond 32 bits) is no reason to lose the message.
        return rows.with_columns(absent).select(
            pl.col(name).cast(dtype, strict=False) for name, dtype in schema.items()
        )


class Memory:
    """What a format keeps from earlier lines of a source: see `forensics.loaders.messages.dhclient`."""

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

    def leaves(self, log_records: pl.DataFrame) -> dict[type[Record], pl.DataFrame]:
        """Narrower records of a chunk of log records.

        Args:
            log_records: Rows of `LogRecord` of one source, by position.

        Returns:
            For each record that was found, its rows, by source and position.
            ``ts``, ``host``, ``source``, ``position`` and the byte range are those of the line.
        """
        parts: dict[type[Record], list[pl.DataFrame]] = {}
        for message_format in self._formats:
            candidates = message_format.candidates(log_records)
            if candidates.is_empty():
                continue
            memory = self._memories.get(message_format.name)
            if memory is not None:
                memory.observe(candidates)
            rows = message_format.read(candidates, memory)
            if not rows.is_empty():
                parts.setdefault(message_format.record, []).append(rows)
        return {
            record: pl.concat(rows).sort("source", "position", maintain_order=True) for record, rows in parts.items()
        }


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


def _stem(group: str) -> str:
    return re.sub(r"__\d+$", "", group)


def _first_of(name: str, groups: list[str]) -> pl.Expr:
    return pl.coalesce([group for group in groups if _stem(group) == name]).alias(name)
