"""Notifications as JSON: lines, lists and single documents, bare or in envelopes, of nova and its sisters."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from ctypes import CDLL
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import polars as pl

from forensics.evidence import Stream
from forensics.loaders._reader import Batch, Origin, Stretch
from forensics.loaders.documents._json_elements import Block, Values, add_line, blocks, elements, feeds_of, lines
from forensics.loaders.documents._notification import READABLE, compiled_rows, notification_rows, places_of_table
from forensics.loaders.documents._notification_forms import FRAME, by_lines, event_of, is_payload, likeness, unwrapped
from forensics.loaders.documents._notification_kernel import CUT, TAKEN, Bytes, Ints, Read, feeds, kernel, run
from forensics.loaders.documents._notification_kernel import read as read_rows
from forensics.loaders.documents._notification_text import Schema, decoded, loads
from forensics.records import Notification, Record

_REMEMBERED = 500_000
_DAMAGED = "JSON that is cut off or damaged"
_ODD = re.compile(rb'"model"|"traits"|oslo\.message')
"""Of a line that is cut off: what it may be a row of all the same."""


@dataclass(slots=True)
class _State:
    """What is kept from chunk to chunk."""

    event: str | None
    deployments: dict[int, str] = field(default_factory=dict)
    seen: set[int] = field(default_factory=set)
    doubles: int = 0
    rows: int = 0


class _Notifications:
    """Reader of notifications: see `forensics.loaders._reader.Reader`."""

    name = "notifications"
    record: type[Record] = Notification
    bases: tuple[type[Record], ...] = (Notification,)
    yields: tuple[type[Record], ...] = (Notification,)
    reference = (
        "openstack/nova nova/openstack/common/notifier/api.py (to 2013.2), nova/notifications/objects (12.0 on); "
        "openstack/oslo.messaging oslo_messaging/_drivers/common.py (envelope)"
    )

    def likeness(self, head: bytes, name: str) -> float:
        """See `Reader`."""
        return likeness(head, name)

    def batches(
        self, stream: Stream, origin: Origin, *, records: Collection[type[Record]] | None = None
    ) -> Iterator[Batch]:
        """See `Reader`."""
        state = _State(event_of(origin.source))
        head = stream.peek()
        wanted = records is None or Notification in records
        library = kernel()
        if by_lines(head):
            for block in blocks(stream, feeds_of if library is None else partial(feeds, library)):
                if library is None:
                    yield _batch(lines(block), origin, state, wanted)
                else:
                    yield _lines_batch(library, block, origin, state, wanted)
        else:
            for values in elements(stream, None if library is None else partial(run, library)):
                yield _batch(values, origin, state, wanted)
        note = _note(state)
        if note:
            yield Batch({}, facts={"note": note})


READERS = (_Notifications(),)


def _note(state: _State) -> str | None:
    if not state.doubles:
        return None
    among = "" if state.rows <= _REMEMBERED else f" of the first {_REMEMBERED:,}"
    return f"{state.doubles:,}{among} notifications bear the message_id of one before"


def _batch(values: Values, origin: Origin, state: _State, wanted: bool) -> Batch:
    rows = []
    for some in values.taken:
        if some.run.read.frame.height:
            octets, (start, end) = np.frombuffer(some.octets, np.uint8), (some.run.start, some.run.end)
            rows.append(_taken(some.run.read, octets, (start, end, some.lines), some.offset, origin))
    return _told(rows, values, origin, state, wanted)


def _told(taken: list[pl.DataFrame], values: Values, origin: Origin, state: _State, wanted: bool) -> Batch:
    """Rows that the kernel took, and those of values that it left."""
    left = [_rows(values, origin, state)] if values.texts else []
    if not taken and not left:
        return Batch({}, tuple(values.stretches))
    rows = pl.concat([*taken, *left])
    if taken and left:
        rows = rows.sort("offset_bytes")
    _count_doubles(rows["message_id"], state)
    return Batch({Notification: rows} if wanted else {}, tuple(sorted(values.stretches, key=_offset)))


def _taken(read: Read, octets: Bytes, places: tuple[Ints, Ints, Ints], offset: int, origin: Origin) -> pl.DataFrame:
    """The rows that the kernel took: of all that it read, where each begins and ends, and its number."""
    start, end, position = (place[read.verdict == TAKEN] for place in places)
    frame = pl.DataFrame({
        "source": pl.repeat(origin.source, len(start), eager=True),
        "position": position,
        "offset_bytes": start + offset,
        "length_bytes": end - start,
    })  # fmt: skip

    def texts(some: pl.Series) -> pl.Series:
        found = [bytes(octets[start[at] : end[at]]).decode() for at in some]
        return unwrapped(pl.Series(found, dtype=pl.String))["text"]

    return compiled_rows(read, texts, frame).drop(READABLE)


def _lines_batch(library: CDLL, block: Block, origin: Origin, state: _State, wanted: bool) -> Batch:
    """Lines by the kernel; what it leaves as `_batch` reads it."""
    end = block.ends
    start = np.append(0, end[:-1])
    octets = np.frombuffer(block.octets, np.uint8)
    read = read_rows(library, octets, start, end, commas=True)
    taken = read.verdict == TAKEN
    values = Values()
    for at in np.flatnonzero(~taken).tolist():
        line = bytes(block.octets[start[at] : end[at]])
        place = block.offset + int(start[at]), block.line + at
        if read.verdict[at] == CUT and not _ODD.search(line):
            values.stretches.append(Stretch(place[0], len(line), "reject", _DAMAGED, place[1]))
        else:
            add_line(values, line, line.decode("utf-8", "replace").removesuffix("\n"), *place)
    numbers = np.arange(len(start)) + block.line
    rows = [_taken(read, octets, (start, end, numbers), block.offset, origin)] if taken.any() else []
    return _told(rows, values, origin, state, wanted)


def _rows(values: Values, origin: Origin, state: _State) -> pl.DataFrame:
    """Rows of the values that are notifications; what is none becomes a stretch."""
    raw = pl.Series(values.texts, dtype=pl.String)
    frame = unwrapped(raw).with_columns(
        source=pl.lit(origin.source, pl.String),
        position=pl.Series(values.lines, dtype=pl.Int64),
        offset_bytes=pl.Series(values.offsets, dtype=pl.Int64),
        length_bytes=pl.Series(values.lengths, dtype=pl.Int64),
        raw=raw,
        event_type=pl.lit(None, pl.String),
    )
    frame = _columns_of(frame, state)
    texts = _payload_alone(frame["text"], state)
    rows = notification_rows(texts, frame)
    bare = rows["event_type"].is_null() & rows["publisher_id"].is_null() & rows["message_id"].is_null()
    alone = rows["payload"].str.contains("nova_object.", literal=True).fill_null(False)
    good = ((rows[READABLE] & (bare.not_() | alone)) | frame["in_table"]) & frame["other"].not_()
    for text, other, place in zip(
        frame["raw"].filter(good.not_()), frame["other"].filter(good.not_()),
        frame.filter(good.not_()).select("offset_bytes", "length_bytes", "position").iter_rows(), strict=True,
    ):  # fmt: skip
        kind, reason = ("framing", "rows of other tables") if other else _why_not(text)
        values.stretches.append(Stretch(place[0], place[1], kind, reason, place[2]))
    return rows.filter(good).drop(READABLE)


def _offset(stretch: Stretch) -> int:
    return stretch.offset_bytes


def _why_not(text: str) -> tuple[str, str]:
    if re.match(FRAME, text[:2000]):
        return "framing", "what holds the values together"
    value = loads(text.strip(" \t\r\n\0\ufeff,"))
    if isinstance(value, dict) and "time_map" in value:
        return "framing", "header of a template"
    if value is None:
        return "reject", _DAMAGED if text.lstrip()[:1] in ("{", "[") else "not JSON"
    return "reject", "JSON, but no notification"


def _count_doubles(ids: pl.Series, state: _State) -> None:
    state.rows += len(ids)
    told = ids.drop_nulls().head(max(_REMEMBERED - len(state.seen), 0))
    before = len(state.seen)
    state.seen.update(told.hash().to_list())
    state.doubles += len(told) - (len(state.seen) - before)


def _columns_of(frame: pl.DataFrame, state: _State) -> pl.DataFrame:
    """Rows of a table and messages of a queue, each as an object: the notification within, and what is beside it."""
    frame = frame.with_columns(other=pl.lit(False), in_table=pl.lit(False))
    of_table = frame["text"].str.contains(r'"model"\s*:\s*"stacktach\.').fill_null(False)
    of_queue = (
        frame["text"].str.contains('"payload_encoding"', literal=True)
        | frame["text"].str.contains(r'"payload"\s*:\s*"[\[{]')
    ).fill_null(False)  # fmt: skip
    if of_table.any():
        frame = _merged(frame, of_table, _table_rows(frame["text"].filter(of_table), state))
    elif of_queue.any():
        schema = {"payload": pl.String, "routing_key": pl.String, "exchange": pl.String}
        read = decoded(frame["text"].filter(of_queue), schema)
        queued = pl.col("exchange").is_not_null()
        frame = _merged(frame, of_queue, read.select(
            text=pl.when(queued).then("payload").otherwise(frame["text"].filter(of_queue)),
            routing_key=pl.when(queued).then("routing_key"),
        ))  # fmt: skip
    return frame


_FIELDS = ("json", "routing_key", "state", "old_state", "task", "old_task", "publisher", "event", "service", "host",
           "instance", "request_id", "uuid", "tenant", "when", "deployment", "name", "owner")  # fmt: skip


def _table_rows(texts: pl.Series, state: _State) -> pl.DataFrame:
    schema: Schema = {"pk": pl.Int64(), "model": pl.String(), "fields": pl.Struct(dict.fromkeys(_FIELDS, pl.String()))}
    read = decoded(texts, schema).unnest("fields")
    named = read.filter(pl.col("model") == "stacktach.deployment").select("pk", "name").drop_nulls()
    state.deployments.update(named.iter_rows())
    names = {str(key): name for key, name in state.deployments.items()}
    read = read.with_columns(
        pl.col("pk").alias("id"),
        pl.coalesce("tenant", "owner").alias("tenant"),
        pl.col("deployment").replace_strict(names, default=None, return_dtype=pl.String),
    )
    raw = pl.col("model").is_in(["stacktach.rawdata", "stacktach.glancerawdata", "stacktach.genericrawdata"])
    places = places_of_table(read)
    return places.with_columns(read.select(text="json", other=raw.not_().fill_null(True), in_table=pl.lit(True)))


def _merged(frame: pl.DataFrame, which: pl.Series, found: pl.DataFrame) -> pl.DataFrame:
    """Columns of some rows put among all."""
    frame = frame.with_columns(order=pl.int_range(pl.len()))
    some = frame.filter(which)
    some = some.drop([name for name in found.columns if name in some.columns])
    merged = pl.concat([some, found], how="horizontal")
    return pl.concat([frame.filter(which.not_()), merged], how="diagonal_relaxed").sort("order").drop("order")


def _payload_alone(texts: pl.Series, state: _State) -> pl.Series:
    """A payload that is kept without its notification gets one, of the event that the file is named for."""
    heads = texts.str.contains('"event_type"', literal=True) | texts.str.contains("oslo.message", literal=True)
    alone = (heads.not_() & texts.str.starts_with("{")).fill_null(False)
    if not alone.any():
        return texts
    places = alone.arg_true()
    made = [_framed(text, state.event) for text in texts.gather(places)]
    return texts.scatter(places, made)


def _framed(text: str, event: str | None) -> str:
    value = loads(text)
    if not isinstance(value, dict) or not is_payload(value, f"{event}.json" if event else ""):
        return text
    named = f'"event_type":"{event}",' if event else ""
    return f'{{{named}"payload":{text}}}'
