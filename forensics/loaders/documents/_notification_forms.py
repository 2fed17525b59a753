"""Which files hold notifications as JSON, and what stands around each of them."""

from __future__ import annotations

import re
from typing import Any

import polars as pl

from forensics.evidence import Stream
from forensics.loaders.documents._json_elements import WRAPPED, elements
from forensics.loaders.documents._notification_text import loads

_WORDS = (b'"event_type"', b'"oslo.message"', b"stacktach.", b'event_type\\"', b"nova_object.name", b"instance_id",
          b'"args"')  # fmt: skip
# What stands before the JSON: the firehose of RabbitMQ and what scripts print of it, and `rabbitmqadmin get`.
_PREFIX = re.compile(
    rb"^(?:'(?:publish|deliver)\.[^']{0,200}'[^{\[]{0,200}:|[^{\[\n]{1,120}?[:>|=\s])\s{0,8}(?=[{\[]\s{0,4}[\"{])"
)
_ADMIN = r"^\|\s*(\S*)\s*\|\s*\S*\s*\|\s*\d+\s*\|\s*([\[{].*[\]}])\s*\|\s*\d+\s*\|"
_PREFIXED = r"^[^{\[]{1,400}?([\[{]\s{0,4}[\"{].*)$"
# rabbitmq_tracing's text files (rabbitmq-server deps/rabbitmq_tracing rabbit_tracing_consumer.erl), and tables' rules
FRAME = (
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


def likeness(head: bytes, name: str) -> float:
    if not any(word in head for word in _WORDS):
        return 0.0
    begin = head.lstrip(b"\xef\xbb\xbf \t\r\n\0")[:1]
    if begin in (b"{", b"["):
        return _share(head, name)
    return 0.93 * _share(head, name) if by_lines(head) else 0.0  # whoever knows the prefix knows better


def _share(head: bytes, name: str) -> float:
    """How many of the values that the head holds whole are notifications."""
    values = _lines_of(head) if by_lines(head) else [text for part in elements(_Bytes(head)) for text in part.texts]
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
    texts = unwrapped(lines_)["text"]
    wanted = texts.is_not_null() | lines_.str.contains(FRAME).not_()
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
    return 0.92 if is_payload(value, name) else 0.0


def is_payload(value: dict[str, Any], name: str) -> bool:
    named = str(value.get("nova_object.name"))
    if "nova_object.data" in value or "nova_object.version" in value:
        return named.endswith("Payload")
    if sum(key in value for key in _USAGE) >= 5 and "instance_id" in value:
        return True
    of_method = ("request_spec" in value and "instance_id" in value) or ({"args", "exception"} <= value.keys())
    return of_method and event_of(name) is not None


def event_of(name: str) -> str | None:
    """The event that a file is named for.

    Examples:
        >>> event_of("samples/compute-instance-create-end_1.json")
        'compute.instance.create.end'
    """
    found = _NAMED.search(name)
    return re.sub(r"_\d+$", "", found["event"]).replace("-", ".") if found else None


def by_lines(head: bytes) -> bool:
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


def unwrapped(texts: pl.Series) -> pl.DataFrame:
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
