"""From fields to columns: the rows of `LogRecord`, and of them only the columns that are wanted."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
import polars as pl
import pyarrow as pa

from forensics.loaders.lines import _kernel
from forensics.loaders.lines._arrow import bits, constant, numbers, spelled, strings
from forensics.loaders.lines._fields import CHAIN, TEXT_FIELDS, Fields, distinct
from forensics.loaders.lines._join import Grouping, messages
from forensics.loaders.lines._text import VIEW, Ints, Places, Text
from forensics.loaders.lines._times import Times
from forensics.records import LogRecord

SEVERITIES = ("EMERG", "ALERT", "CRIT", "ERR", "WARNING", "NOTICE", "INFO", "DEBUG")
"""By the priority modulo eight (RFC 5424 section 6.2.1); the words are those of syslog.h."""
SCHEMA = LogRecord.polars_schema()
_NULLS = {name: pl.Series([None], dtype=kind) for name, kind in SCHEMA.items()}
SMALL_BYTES = 1 << 16
"""In so little text a search for a word costs less than a query that will find nothing."""


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


def names(chains: Ints, framings: Sequence[str]) -> pa.Array:
    """The same for each row."""
    found = [chain for chain, _ in distinct(chains)]
    words = [name_of(chain, framings) for chain in found]
    return constant(words[0], len(chains)) if len(words) == 1 else spelled(words, np.searchsorted(found, chains))


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
    first = records.first
    spoken = "message" in wanted or ("repeats" in wanted and _may_repeat(text))
    message = messages(text, fields, records) if spoken else (first, first)
    made = _columns(text, fields, records, [name for name in TEXT_FIELDS if name in wanted], message)
    made |= {"ts": times.ts, "outer_at": times.outer_at, "year_basis": times.year_basis, "zone_basis": times.zone_basis}
    if "source" in wanted:
        made["source"] = constant(source, len(first))
    if "framing" in wanted:
        made["framing"] = names(fields.framing.take(first), framings)
    for name in wanted:
        if name not in made:
            made[name] = pa.nulls(len(first), VIEW if SCHEMA[name] == pl.String else pa.uint32())
    frame = pl.DataFrame(pa.RecordBatch.from_arrays([made[name] for name in wanted], wanted))
    changed = []
    if "host" in made and host is not None and made["host"].null_count:
        changed.append(frame["host"].fill_null(host))
    if "severity" in made:
        priority = fields.priority[first] if fields.priority.max(initial=-1) >= 0 else fields.priority[:0]
        if (priority >= 0).any():
            words = pl.Series([*SEVERITIES, None], dtype=pl.String).gather(np.where(priority < 0, 8, priority % 8))
            changed.append(pl.select(pl.coalesce(frame["severity"], words)).to_series())
    if "repeats" in wanted and _may_repeat(text):
        said = frame["message"] if "message" in made else text.series(*message)
        changed.append(repeats(said).alias("repeats"))
    return frame.with_columns(changed) if changed else frame


def _may_repeat(text: Text) -> bool:
    """Whether some line may say that a message was repeated."""
    if len(text.buffer) > SMALL_BYTES:
        return text.remarkable
    return b"message repeated " in text.buffer.tobytes()


def _columns(
    text: Text, fields: Fields, records: Grouping, wanted: Sequence[str], message: tuple[Ints, Ints]
) -> dict[str, pa.Array]:
    """Columns of texts that are wanted, and those of numbers."""
    compiled = _kernel.kernel()
    count = len(records.first)
    if compiled is not None:
        texts, found, (valid, pids) = _kernel.columns(compiled, text, fields, records, message, wanted)
        made = {name: numbers(values) for name, values in found.items() if name != "pid"}
        made["pid"] = numbers(found["pid"], valid if pids < count else None)
        for name, (views, mask, there) in texts.items():
            octets = mask if there < count else None
            made[name] = strings(views, octets, text.buffer) if there or not count else pa.nulls(count, VIEW)
        return made
    first, last = records.first, records.last
    pid = fields.pid[first]
    where: dict[str, tuple[Places, Places]]
    where = {name: (fields.start[name][first], fields.end[name][first]) for name in wanted if name != "message"}
    where |= {"message": message} if "message" in wanted else {}
    return {name: text.array(*place) for name, place in where.items()} | {
        "position": numbers(text.number[first]),
        "offset_bytes": numbers(text.raw_start[first]),
        "length_bytes": numbers(text.raw_end[last] - text.raw_start[first]),
        "pid": numbers(pid, bits(pid >= 0)),
        "n_lines": numbers((last - first + 1).astype(np.uint32)),
    }


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
