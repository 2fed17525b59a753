"""From fields to columns: the rows of `LogRecord`, and of them only the columns that are wanted."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
import polars as pl
import pyarrow as pa

from forensics.loaders.lines._fields import CHAIN, TEXT_FIELDS, Fields, distinct
from forensics.loaders.lines._join import Grouping, messages
from forensics.loaders.lines._text import Bools, Ints, Text
from forensics.loaders.lines._times import Times
from forensics.records import LogRecord

SEVERITIES = ("EMERG", "ALERT", "CRIT", "ERR", "WARNING", "NOTICE", "INFO", "DEBUG")
"""By the priority modulo eight (RFC 5424 section 6.2.1); the words are those of syslog.h."""
SCHEMA = LogRecord.polars_schema()
_NULLS = {name: pl.Series([None], dtype=kind) for name, kind in SCHEMA.items()}
SMALL_BYTES = 1 << 16
"""In so little text a search for a word costs less than a query that will find nothing."""


def numbers(values: Ints, valid: Bools | None, kind: pl.DataType | type[pl.DataType] = pl.Int64) -> pl.Series:
    """A column over an array, null where not valid. The array must not be written again."""
    if kind != pl.Int64:
        return pl.Series(values).cast(kind)
    bits = None if valid is None or valid.all() else pa.py_buffer(np.packbits(valid, bitorder="little"))
    values = np.ascontiguousarray(values, np.int64)
    column = pl.from_arrow(pa.Array.from_buffers(pa.int64(), len(values), [bits, pa.py_buffer(values)]))
    assert isinstance(column, pl.Series)
    return column


def name_of(chain: int, framings: Sequence[str]) -> str:
    """What a number made of the numbers of framings is called, the outermost first.

    Examples:
        >>> name_of(2 * CHAIN + 1, ["inner", "outer"])
        'outer+inner'
    """
    parts: list[str] = []
    while chain:
        chain, code = divmod(chain, CHAIN)
        parts.insert(0, framings[code - 1])
    return "+".join(parts)


def names(chains: Ints, framings: Sequence[str]) -> pl.Series:
    """The same for each row."""
    found = distinct(chains)
    if len(found) == 1:
        return pl.Series([name_of(found[0][0], framings)], dtype=pl.String).new_from_index(0, len(chains))
    place = np.searchsorted([chain for chain, _ in found], chains)
    return pl.Series([name_of(chain, framings) for chain, _ in found], dtype=pl.String).gather(place)


def rows(
    text: Text,
    fields: Fields,
    records: Grouping,
    times: Times,
    *,
    source: str,
    host: str | None,
    framings: Sequence[str],
    columns: Collection[str] | None = None,
) -> pl.DataFrame:
    """The rows of `LogRecord` for the records of a chunk.

    Args:
        text: The lines.
        fields: What is known of them.
        records: Which lines make a record.
        times: Instants of the records.
        source: Label of the source.
        host: Host for records that do not name one.
        framings: Names of the framings, the first one being number one.
        columns: The columns that are wanted; all where None.
    """
    wanted = [name for name in SCHEMA if columns is None or name in columns]
    first, last = records.first, records.last
    made: dict[str, pl.Series] = {}
    where = {name: (fields.start[name][first], fields.end[name][first]) for name in TEXT_FIELDS if name in wanted}
    if "message" in where:
        where["message"] = messages(text, fields, records)
    made.update(text.columns(where))
    if "host" in made and host is not None and made["host"].null_count():
        made["host"] = made["host"].fill_null(host)
    if "severity" in made:
        priority = fields.priority[first]
        if (priority >= 0).any():
            words = pl.Series([*SEVERITIES, None], dtype=pl.String).gather(np.where(priority < 0, 8, priority % 8))
            made["severity"] = pl.select(pl.coalesce(made["severity"], words)).to_series()
    pid = fields.pid[first]
    if "repeats" in wanted and (
        text.remarkable if len(text.buffer) > SMALL_BYTES else b"message repeated " in text.buffer.tobytes()
    ):
        said = made["message"] if "message" in made else text.series(*messages(text, fields, records))
        made["repeats"] = repeats(said)
    plain = {
        "ts": lambda: times.ts,
        "outer_at": lambda: times.outer_at,
        "year_basis": lambda: times.year_basis,
        "zone_basis": lambda: times.zone_basis,
        "source": lambda: pl.Series([source], dtype=pl.String).new_from_index(0, len(first)),
        "pid": lambda: numbers(pid, pid >= 0),
        "position": lambda: numbers(text.number[first], None),
        "offset_bytes": lambda: numbers(text.raw_start[first], None),
        "length_bytes": lambda: numbers(text.raw_end[last] - text.raw_start[first], None),
        "n_lines": lambda: numbers(last - first + 1, None, pl.UInt32),
        "framing": lambda: names(fields.framing[first], framings),
    }
    for name in wanted:
        if name in plain:
            made[name] = plain[name]()
        elif name not in made:
            made[name] = _NULLS[name].new_from_index(0, len(first))
    typed = {name: made[name] if made[name].dtype == SCHEMA[name] else made[name].cast(SCHEMA[name]) for name in wanted}
    return pl.DataFrame(typed)


def repeats(messages_: pl.Series) -> pl.Series:
    """How many more times rsyslog or syslogd says that a message was repeated.

    References:
        rsyslog action.c @ v5.8.6 (``last message repeated N times``), runtime/ratelimit.c @ v8.32.0
        (``message repeated N times: [ … ]``).
    """
    said = messages_.str.contains("message repeated ", literal=True)
    if not said.any():
        return _NULLS["repeats"].new_from_index(0, len(messages_))
    return (
        messages_.str.extract(
            r"^(?:---)? ?(?:last message repeated (\d{1,9}) times?|message repeated \d{1,9} times: \[)", 1
        )
        .fill_null(messages_.str.extract(r"^ ?message repeated (\d{1,9}) times: \[", 1))
        .cast(pl.UInt32, strict=False)
    )
