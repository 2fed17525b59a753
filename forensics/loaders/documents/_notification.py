"""Notifications as rows: what the readers of JSON, tables, CSV and SQL share."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from functools import lru_cache

import numpy as np
import polars as pl

from forensics.clocks import epoch, iso
from forensics.loaders.documents._notification_fields import FULL, INSTANTS, LEAN, RARE, columns, field, told
from forensics.loaders.documents._notification_kernel import TAKEN, Bytes, Ints, Read, kernel
from forensics.loaders.documents._notification_kernel import read as read_rows
from forensics.loaders.documents._notification_text import decoded, payloads, peeled, without_secrets
from forensics.records import Notification

READABLE = "readable"
"""Column that `notification_rows` adds: whether the text was a notification. Drop it before the rows are given out."""

_PLACE = ("source", "position", "offset_bytes", "length_bytes")
_GLANCE = ("image", "glance", "glance-api", "glance-registry")
_FALLBACKS = (
    "when_ns", "raw_id", "host", "deployment", "routing_key", "event_type", "instance", "image", "request_id",
    "publisher_id", "service", "project_id", "state", "old_state", "task_state", "old_task_state",
)  # fmt: skip


def notification_rows(texts: pl.Series, places: pl.DataFrame) -> pl.DataFrame:
    """One row of `Notification` for each text, in their order.

    Args:
        texts: JSON of one notification each, as `peeled` takes it; null where there is none.
        places: As many rows, with ``source``, ``position``, ``offset_bytes`` and ``length_bytes``. What it has of
            ``host``, ``deployment``, ``routing_key``, ``raw_id``, ``when_ns`` (nanoseconds since 1970, UTC),
            ``event_type``, ``instance``, ``image``, ``request_id``, ``publisher_id``, ``service``, ``project_id``,
            ``state``, ``task_state``, ``old_state`` and ``old_task_state`` stands where the text itself says nothing.

    Returns:
        The columns of `Notification`, and `READABLE`. A text that is cut or no notification gives a row
        with what ``places`` tells; nothing is left out, doubles neither.
    """
    library = kernel()
    if library is None or not texts.len():
        return reference_rows(texts, places)
    read = read_rows(library, *_octets(texts), commas=False)
    taken = pl.Series(read.verdict == TAKEN)
    if "publisher_id" in places.columns:  # what it says of the host is for the reference
        unsaid = read.frame["publisher_id"].is_null() if "publisher_id" in read.frame.columns else True
        alone = places["publisher_id"].filter(taken).is_not_null() & unsaid
        read.frame = read.frame.filter(alone.not_())
        taken = taken.scatter(taken.arg_true().filter(alone), False)
    made = compiled_rows(read, texts.filter(taken).gather, places.filter(taken))
    rest = taken.not_().arg_true()
    if not len(rest):
        return made
    slow = reference_rows(texts.gather(rest), places[rest])
    return pl.concat([made, slow])[pl.concat([taken.arg_true(), rest]).arg_sort()]


def compiled_rows(read: Read, texts: Callable[[pl.Series], pl.Series], places: pl.DataFrame) -> pl.DataFrame:
    """Rows as `notification_rows` gives them, of those that the kernel took.

    Args:
        read: What it made of them.
        texts: Gives the texts of some of them, by their numbers among those taken.
        places: As many rows: see `notification_rows`. Where it has a publisher the text must have one, too.
    """
    frame = read.frame
    hinted = (frame["hinted"] != 0).arg_true()
    if len(hinted):
        shown = payloads(peeled(texts(hinted))["body"])
        frame = frame.with_columns(frame["payload"].scatter(hinted, shown))
    if "error" in frame.columns:
        frame = frame.with_columns(without_secrets(frame["error"]))
    if read.odd and "ips" in frame.columns:  # the row may have been left after all
        frame = frame.with_columns(_canonical(frame["ips"]))
    known = [name for name in _FALLBACKS if name in places.columns and places[name].null_count() < places.height]
    beside = places.select(pl.col(known).name.prefix("_"), *_PLACE)
    frame = pl.concat([frame, beside], how="horizontal")
    if "when_ns" in known:
        frame = frame.with_columns(pl.col("_when_ns").cast(pl.Datetime("ns", "UTC")))
    return frame.select(_columns(frozenset(frame.columns)))


@lru_cache(maxsize=64)
def _columns(there: frozenset[str]) -> list[pl.Expr]:
    """The columns of `notification_rows`, as far as they are told."""
    kinds = Notification.polars_schema().items()
    return [*(_first(name, kind, there).cast(kind).alias(name) for name, kind in kinds), pl.lit(True).alias(READABLE)]


def _first(name: str, kind: pl.DataType, there: frozenset[str]) -> pl.Expr:
    """What a text tells of a column, else what stands beside it."""
    parts = ("stated", "_when_ns", "context") if name == "ts" else (name, f"_{name}")
    found = [pl.col(part) for part in parts if part in there]
    if not found:
        return pl.lit(None, kind)
    said = kind == pl.String and name != "deployment" and f"_{name}" in there
    return told(*found) if said else pl.coalesce(found)


def _octets(texts: pl.Series) -> tuple[Bytes, Ints, Ints]:
    """Texts behind one another, and where each begins and ends."""
    array = texts.cast(pl.String).fill_null("").to_arrow(compat_level=pl.CompatLevel.oldest())
    _, offset_buffer, data = array.buffers()
    offsets = np.frombuffer(offset_buffer, np.int64)[array.offset : array.offset + len(texts) + 1]
    octets = np.zeros(1, np.uint8) if data is None or not data.size else np.frombuffer(data, np.uint8)
    return octets, offsets[:-1], offsets[1:]


def reference_rows(texts: pl.Series, places: pl.DataFrame) -> pl.DataFrame:
    """The same by expressions, which say what is right."""
    bare = peeled(texts)
    known = {name: places[name] if name in places.columns else None for name in _FALLBACKS}
    frame = bare.select(
        pl.col("body"),
        pl.col("routing_key").alias("key"),
        *(
            (pl.lit(None) if values is None else pl.lit(values)).cast(_kind(name), strict=False).alias(f"_{name}")
            for name, values in known.items()
        ),
        pl.int_range(pl.len()).alias("order"),
    ).with_columns(places.select(*_PLACE))
    rare = frame["body"].str.contains(RARE).fill_null(False)
    groups = [(frame.filter(rare.not_()), False), (frame.filter(rare), True)]
    made = [_rows(group, full) for group, full in groups if group.height]
    rows = pl.concat(made).sort("order") if made else _rows(frame, False)
    return rows.drop("order")


def _rows(frame: pl.DataFrame, full: bool) -> pl.DataFrame:
    """Rows of bodies that are much alike."""
    read = decoded(frame["body"], FULL if full else LEAN)
    frame = pl.concat([frame, read], how="horizontal").with_columns(
        payloads(frame["body"]).alias("payload_text"),
        event=told(pl.col("event_type"), pl.col("_event_type")),
        publisher=told(pl.col("publisher_id"), pl.col("_publisher_id")),
    )
    kept = pl.col("event_type").is_not_null() | pl.col("payload_text").is_not_null()
    first, then = columns(full)
    frame = frame.with_columns(*first, kept.alias(READABLE)).with_columns(then)
    frame = frame.with_columns(
        *_parts_of_publisher(),
        _error(full).alias("error"),
        _macs(full).alias("macs"),
        _ips(full).alias("ips"),
        pl.col("payload_text").alias("payload"),
    )
    stated, context = _instants(frame["stamp"]), _instants(frame["context_stamp"])
    given = frame["_when_ns"].cast(pl.Datetime("ns", "UTC"))
    frame = frame.with_columns(
        without_secrets(frame["error"]),
        *(_instants(frame[name]).alias(name) for name in INSTANTS),
        pl.select(ts=pl.coalesce(pl.lit(stated), pl.lit(given), pl.lit(context)))["ts"],
    )
    kinds = Notification.polars_schema().items()
    return frame.select(*(pl.col(name).cast(kind, strict=False) for name, kind in kinds), READABLE, "order")


def _kind(name: str) -> pl.DataType:
    return pl.Int64() if name in ("raw_id", "when_ns") else pl.String()


def _parts_of_publisher() -> list[pl.Expr]:
    """``service.host``, ``service:host`` of versioned ones, and glance's bare host name.

    cinder puts ``@backend#pool`` behind the host, nova's cells ``cell!child@`` before it.
    """
    publisher = pl.col("publisher")
    service = publisher.str.extract(r"^([^.:]+)[.:]")
    bare = service.is_null() | (pl.col("of_image") & service.is_in(_GLANCE).not_())
    host = pl.when(bare).then(publisher).otherwise(publisher.str.extract(r"^[^.:]+[.:](.+)$"))
    in_cell = host.str.contains("!", literal=True)
    alone = pl.when(in_cell).then(host.str.extract(r"([^@]+)$")).otherwise(host.str.extract(r"^([^@]+)"))
    return [
        told(alone, pl.col("_host")).alias("host"),
        told(pl.when(bare.not_()).then(service), pl.col("_service")).alias("service"),
    ]


def _error(full: bool) -> pl.Expr:
    """The message of what went wrong; ``message`` alone says "Success" otherwise."""
    failed = pl.col("priority").is_in(["ERROR", "CRITICAL"]) | pl.col("event").str.ends_with(".error")
    if full:
        failed = failed.fill_null(False) | field(pl.col("inside"), "exception").is_not_null()
    payload = pl.col("payload_text")
    raised = pl.when(failed).then(payload).str.json_path_match("$.exception")
    string = payload.str.starts_with('"') & pl.col("uuid_alone").is_null()
    return told(
        pl.col("fault"),
        pl.when(failed).then(told(pl.col("complaint"), raised)),
        pl.when(string).then(payload).str.json_path_match("$"),
    )


_MAC = r"^(?:[0-9a-f]{2}:){5}[0-9a-f]{2}$"
_IP = r"^(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9a-fA-F:.]*:[0-9a-fA-F:.]*)$"


def _macs(full: bool) -> pl.Expr:
    inside, of = pl.col("inside"), pl.element().struct.field
    each = [field(inside, "fixed_ips").list.eval(of("vif_mac"))]
    if full:
        versioned = field(inside, "*/ip_addresses").list.eval(field(pl.element(), "*/mac"))
        each += [versioned, _one(field(inside, "port/mac_address"))]
    plain = pl.element().str.to_lowercase().str.replace_all("-", ":", literal=True)
    return _list(each, plain.filter(plain.str.contains(_MAC)))


def _ips(full: bool) -> pl.Expr:
    inside, of = pl.col("inside"), pl.element().struct.field
    fixed = field(inside, "fixed_ips")
    each = [fixed.list.eval(pl.coalesce(of("address"), of("ip_address")))]
    if full:
        each += [
            field(inside, "*/ip_addresses").list.eval(field(pl.element(), "*/address")),
            field(inside, "port/fixed_ips").list.eval(of("ip_address")),
            _one(field(inside, "floatingip/fixed_ip_address")),
        ]
    each += [_one(field(inside, "fixed_ip")), _one(field(inside, "floating_ip"))]
    if full:
        floating = pl.element().struct.field("floating_ips").explode().struct.field("address")
        each += [fixed.list.eval(floating), _one(field(inside, "floatingip/floating_ip_address"))]
    found = _list(each, pl.element().filter(pl.element().str.contains(_IP)))
    return found.map_batches(_canonical, return_dtype=pl.List(pl.String))


def _list(each: list[pl.Expr], kept: pl.Expr) -> pl.Expr:
    nothing = pl.lit([], dtype=pl.List(pl.String))
    found = pl.concat_list(one.fill_null(nothing) for one in each).list.eval(kept).list.unique(maintain_order=True)
    return pl.when(found.list.len() > 0).then(found)


def _one(value: pl.Expr) -> pl.Expr:
    return pl.when(value.is_not_null()).then(pl.concat_list(value))


def _canonical(lists: pl.Series) -> pl.Series:
    """IPv6 as RFC 5952 writes it."""
    many = lists.explode().unique().drop_nulls()
    v6 = many.filter(many.str.contains(":", literal=True)).to_list()
    if not v6:
        return lists
    short = {text: _shortest(text) for text in v6}
    return lists.list.eval(pl.element().replace(list(short), list(short.values())).drop_nulls())


def _shortest(text: str) -> str | None:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return None


def _instants(stamps: pl.Series) -> pl.Series:
    """Stamps of notifications: UTC whatever the form, exact to the nanosecond; null where there is none."""
    plain = stamps.str.strip_chars()
    core = plain.str.replace(r"(?:Z|[+-]00:?00| ?UTC)$", "").str.replace("T", " ", literal=True)
    regular = core.str.contains(r"^(?:1[7-9]|20|21)\d\d-\d\d-\d\d \d\d:\d\d:[0-5]\d(?:\.\d{1,9})?$")
    fast = pl.select(pl.when(regular).then(core))[:, 0].str.to_datetime(
        "%Y-%m-%d %H:%M:%S%.f", time_unit="ns", time_zone="UTC", strict=False
    )
    rest = plain.is_not_null() & fast.is_null()
    if not rest.any():
        return fast
    odd = plain.filter(rest)
    slow = iso(odd)
    counted = epoch(odd)["ts"]
    utc = slow["local_ns"].cast(pl.Datetime("ns", "UTC"))
    told = slow["ts"].zip_with(slow["ts"].is_not_null(), utc)
    return fast.scatter(rest.arg_true(), told.zip_with(told.is_not_null(), counted))


def places_of_table(columns: pl.DataFrame) -> pl.DataFrame:
    """What columns of StackTach's tables of notifications tell, as `notification_rows` takes it.

    Args:
        columns: Texts under the table's own names (openstack/stacktach stacktach/models.py): those of ``rawdata``,
            ``glancerawdata`` and ``genericrawdata``, or fewer.
    """
    there = {name: own for name, own in _OF_TABLE.items() if own in columns.columns}
    texts = {name: pl.col(own).cast(pl.String) for name, own in there.items()}
    unset = ["", "NULL", "None", "n/a", "\\N"]
    found = columns.select(pl.when(text.is_in(unset).not_()).then(text).alias(name) for name, text in texts.items())
    when = _instants(found["when_ns"]).dt.epoch("ns") if "when_ns" in found.columns else None
    numbers = [pl.col("raw_id").cast(pl.Int64, strict=False)] if "raw_id" in found.columns else []
    return found.with_columns(*numbers, *([] if when is None else [when.alias("when_ns")]))


_OF_TABLE = {
    "raw_id": "id", "deployment": "deployment", "routing_key": "routing_key", "when_ns": "when",
    "publisher_id": "publisher", "event_type": "event", "service": "service", "host": "host", "instance": "instance",
    "request_id": "request_id", "project_id": "tenant", "state": "state", "old_state": "old_state",
    "task_state": "task", "old_task_state": "old_task", "image": "uuid",
}  # fmt: skip
