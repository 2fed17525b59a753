"""Notifications as JSON: lines, lists and single documents, bare or in envelopes, of nova and its sisters."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from forensics.evidence import Stream
from forensics.loaders._reader import Batch, Origin, Stretch
from forensics.loaders.documents._json_elements import WRAPPED, Values, elements, lines
from forensics.loaders.documents._notification import READABLE, notification_rows, places_of_table
from forensics.loaders.documents._notification_text import Schema, decoded, loads
from forensics.records import Notification, Record

_WORDS = (b'"event_type"', b'"oslo.message"', b"stacktach.", b'event_type\\"', b"nova_object.name", b"instance_id",
          b'"args"')  # fmt: skip
# What stands before the JSON: the firehose of RabbitMQ and what scripts print of it, and `rabbitmqadmin get`.
_PREFIX = re.compile(
    rb"^(?:'(?:publish|deliver)\.[^']{0,200}'[^{\[]{0,200}:|[^{\[\n]{1,120}?[:>|=\s])\s{0,8}(?=[{\[]\s{0,4}[\"{])"
)
_ADMIN = r"^\|\s*(\S*)\s*\|\s*\S*\s*\|\s*\d+\s*\|\s*([\[{].*[\]}])\s*\|\s*\d+\s*\|"
_PREFIXED = r"^[^{\[]{1,400}?([\[{]\s{0,4}[\"{].*)$"
# rabbitmq_tracing's text files (rabbitmq-server deps/rabbitmq_tracing rabbit_tracing_consumer.erl), and tables' rules
_FRAME = (
    r"^\s*(?:=+|\+[-+]+\+|\|\s*routing_key\s*\|.*|[\[\]],?|"
    r"(?:Node|Connection|Virtual host|User|Channel|Exchange|Routing keys|Routed queues|Queue|Properties|Payload):.*|"
    r"\d{4}-\d\d?-\d\d? \d\d?:\d\d?:\d\d?(?::\d+)?: Message (?:published|received))\s*$"
)
_KEY_OF_TRACE = r"publish\.[^']*'?.{0,40}?routing_key[\"'>, :=]+([\w.-]+)"
_NAMED = re.compile(
    r"(?:^|/)(?P<event>(?:compute|scheduler|image|instance|network|volume|conductor|api|service|aggregate|keypair|flavor|"
    r"server_group|port|libvirt|metrics|rebuild|terminate|snapshot)[\w.-]*)\.json[^/]*$"
)
_USAGE = ("instance_id", "tenant_id", "user_id", "state_description", "image_ref_url", "launched_at", "reservation_id",
          "instance_type_id", "display_name", "memory_mb", "instance_type")  # fmt: skip
_REMEMBERED = 500_000


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
        return _likeness(head, name)

    def batches(
        self, stream: Stream, origin: Origin, *, records: Collection[type[Record]] | None = None
    ) -> Iterator[Batch]:
        """See `Reader`."""
        state = _State(_event_of(origin.source))
        head = stream.peek()
        for values in lines(stream) if _by_lines(head) else elements(stream):
            yield _batch(values, origin, state, records is None or Notification in records)
        note = _note(state)
        if note:
            yield Batch({}, facts={"note": note})


READERS = (_Notifications(),)


def _note(state: _State) -> str | None:
    if not state.doubles:
        return None
    among = "" if state.rows <= _REMEMBERED else f" of the first {_REMEMBERED:,}"
    return f"{state.doubles:,}{among} notifications bear the message_id of one before"


def _likeness(head: bytes, name: str) -> float:
    if not any(word in head for word in _WORDS):
        return 0.0
    begin = head.lstrip(b"\xef\xbb\xbf \t\r\n\0")[:1]
    if begin in (b"{", b"["):
        return _share(head, name)
    return 0.93 * _share(head, name) if _by_lines(head) else 0.0  # whoever knows the prefix knows better


def _share(head: bytes, name: str) -> float:
    """How many of the values that the head holds whole are notifications."""
    values = _lines_of(head) if _by_lines(head) else [text for part in elements(_Bytes(head)) for text in part.texts]
    kinds = [0.0 if text is None else _kind(loads(text), name) for text in values[:32]]
    counted = [kind for kind in kinds if kind is not None]
    if not counted:
        return 0.9 if len(head) >= 32_768 and _begun(head) else 0.0
    return round(0.98 * sum(counted) / len(counted), 3)


def _lines_of(head: bytes) -> list[str | None]:
    """JSON of whole lines; None for a line that has none and no reason to be there."""
    whole = head[: head.rfind(b"\n") + 1] if len(head) >= 32_768 else head
    lines_ = pl.Series(
        [line.decode("utf-8", "replace") for line in whole.split(b"\n") if line.strip()][:200], dtype=pl.String
    )
    texts = _unwrapped(lines_)["text"]
    wanted = texts.is_not_null() | lines_.str.contains(_FRAME).not_()
    return texts.filter(wanted).to_list()


class _Bytes(Stream):
    """A head as a stream."""

    def __init__(self, octets: bytes) -> None:
        self._octets = octets

    def read(self, size: int = -1, /) -> bytes:
        """See `Stream.read`."""
        taken, self._octets = self._octets[:size], self._octets[size:]
        return taken


def _begun(head: bytes) -> bool:
    """Whether a value that is longer than the head begins like a notification."""
    return re.search(rb'"(?:publisher_id|_context_\w+|_unique_id|oslo\.version)"\s{0,8}:', head) is not None


def _kind(value: Any, name: str) -> float | None:
    """How sure it is that a value is a notification; None for one that may stand among them."""
    if isinstance(value, list):
        routed = len(value) == 2 and isinstance(value[0], str) and isinstance(value[1], (dict, str))
        return _kind(value[1], name) if routed else 0.0
    if isinstance(value, str):
        value = loads(value)
    if not isinstance(value, dict):
        return 0.0
    if "oslo.message" in value:
        return 1.0
    if "event_type" in value and value.keys() & {"publisher_id", "payload", "traits", "message_id"}:
        return 1.0
    if str(value.get("model")).startswith("stacktach.") and "fields" in value:
        return 1.0
    if "time_map" in value:
        return None
    if isinstance(value.get("payload"), str) and "routing_key" in value and "exchange" in value:
        return _kind(loads(value["payload"]), name)
    return 0.92 if _is_payload(value, name) else 0.0


def _is_payload(value: dict[str, Any], name: str) -> bool:
    named = str(value.get("nova_object.name"))
    if "nova_object.data" in value or "nova_object.version" in value:
        return named.endswith("Payload")
    if sum(key in value for key in _USAGE) >= 5 and "instance_id" in value:
        return True
    of_method = ("request_spec" in value and "instance_id" in value) or ({"args", "exception"} <= value.keys())
    return of_method and _event_of(name) is not None


def _event_of(name: str) -> str | None:
    """The event that a file is named for.

    Examples:
        >>> _event_of("samples/compute-instance-create-end_1.json")
        'compute.instance.create.end'
    """
    found = _NAMED.search(name)
    return re.sub(r"_\d+$", "", found["event"]).replace("-", ".") if found else None


def _by_lines(head: bytes) -> bool:
    """Whether each line is a value of its own, maybe behind a prefix."""
    first, ended, rest = head.lstrip(b"\xef\xbb\xbf \t\r\n\0").partition(b"\n")
    first = first.strip()
    if first[:1] == b"[":
        return re.match(rb'\[\s{0,4}"', first) is not None and first.rstrip(b", \0").endswith(b"]")
    if first[:1] == b"{":
        if WRAPPED.match(first[:200].decode("latin-1")):
            return False
        if first.rstrip(b", \0").endswith(b"}"):
            return True
        return not ended or not re.match(rb'\s{0,64}["}\]]', rest)
    return any(
        _PREFIX.match(line) or (line[:1] in (b"{", b"[") and line.rstrip().endswith((b"}", b"]")))
        for line in head.split(b"\n", 60)[:60]
    )


def _unwrapped(texts: pl.Series) -> pl.DataFrame:
    """JSON of lines, ``text``, and the ``routing_key`` that stands before it; null where there is none."""
    frame = texts.str.strip_chars(" \t\r\n\0\ufeff").to_frame("line").with_columns(
        start=pl.col("line").str.slice(0, 1)
    )  # fmt: skip
    frame = frame.with_columns(
        text=pl.when(pl.col("start").is_in(["{", "[", '"'])).then(pl.col("line").str.strip_chars_end(" ,")),
        routing_key=pl.lit(None, pl.String),
    )
    if frame["text"].null_count():
        admin = pl.col("line").str.extract_groups(_ADMIN)
        bare = pl.col("text").is_null()
        frame = frame.with_columns(
            text=pl.coalesce(
                "text", admin.struct.field("2"), pl.when(bare).then(pl.col("line").str.extract(_PREFIXED))
            ),
            routing_key=pl.coalesce(
                pl.when(bare).then(admin.struct.field("1")),
                pl.when(bare).then(pl.col("line").str.extract(_KEY_OF_TRACE)),
            ),
        )
    return frame.select("text", "routing_key")


def _batch(values: Values, origin: Origin, state: _State, wanted: bool) -> Batch:
    if not values.texts:
        return Batch({}, tuple(values.stretches))
    raw = pl.Series(values.texts, dtype=pl.String)
    frame = _unwrapped(raw).with_columns(
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
    kept = rows.filter(good).drop(READABLE)
    _count_doubles(kept["message_id"], state)
    return Batch({Notification: kept} if wanted else {}, tuple(sorted(values.stretches, key=_offset)))


def _offset(stretch: Stretch) -> int:
    return stretch.offset_bytes


def _why_not(text: str) -> tuple[str, str]:
    if re.match(_FRAME, text[:2000]):
        return "framing", "what holds the values together"
    value = loads(text.strip(" \t\r\n\0\ufeff,"))
    if isinstance(value, dict) and "time_map" in value:
        return "framing", "header of a template"
    if value is None:
        return "reject", "JSON that is cut off or damaged" if text.lstrip()[:1] in ("{", "[") else "not JSON"
    return "reject", "JSON, but no notification"


def _count_doubles(ids: pl.Series, state: _State) -> None:
    state.rows += len(ids)
    told = ids.drop_nulls().head(max(_REMEMBERED - len(state.seen), 0))
    new = set(told.hash().to_list())
    state.doubles += len(told) - len(new - state.seen)
    state.seen |= new


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
    if not isinstance(value, dict) or not _is_payload(value, f"{event}.json" if event else ""):
        return text
    named = f'"event_type":"{event}",' if event else ""
    return f'{{{named}"payload":{text}}}'
