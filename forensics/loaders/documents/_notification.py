"""Notifications as rows: what the readers of JSON, tables, CSV and SQL share."""

from __future__ import annotations

import ipaddress

import polars as pl

from forensics.clocks import epoch, iso
from forensics.loaders.documents._notification_text import Schema, decoded, dumps, payloads, peeled
from forensics.records import Notification

READABLE = "readable"
"""Column that `notification_rows` adds: whether the text was a notification. Drop it before the rows are given out."""

_S = pl.String
_UUID = r"^[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}$"
_UNSET = ["", "None", "null", "n/a"]
_GLANCE = ("image", "glance", "glance-api", "glance-registry")
_FALLBACKS = ("host", "deployment", "routing_key", "raw_id", "event_type", "instance", "image", "request_id",
              "publisher_id", "service", "project_id", "state", "old_state", "task_state", "old_task_state")  # fmt: skip


def _texts(names: str) -> dict[str, pl.DataType]:
    return dict.fromkeys(names.split(), _S())


_MESSAGE = pl.Struct(_texts("message"))
_OF_INSTANCE = pl.Struct(_texts(
    "uuid host display_name user_id project_id vm_state task_state image_ref root_gb created_at launched_at "
    "terminated_at deleted_at"
))  # fmt: skip
_FAULT = pl.Struct({"nova_object.data": pl.Struct(_texts("exception exception_message"))})
_VERSIONED = pl.Struct(
    _texts(
        "uuid instance_uuid tenant_id project_id user_id host host_name display_name image_uuid state task_state "
        "created_at launched_at deleted_at terminated_at request_id exception exception_message"
    )
    | {
        "flavor": pl.Struct({"nova_object.data": pl.Struct(_texts("name flavorid root_gb"))}),
        "fault": _FAULT,
        "reason": _FAULT,
        "state_update": pl.Struct(
            {"nova_object.data": pl.Struct(_texts("old_state state old_task_state new_task_state"))}
        ),
        "ip_addresses": pl.List(pl.Struct({"nova_object.data": pl.Struct(_texts("address mac"))})),
    }
)
_FIXED = pl.List(
    pl.Struct(_texts("address ip_address vif_mac") | {"floating_ips": pl.List(pl.Struct(_texts("address")))})
)
_PAYLOAD = pl.Struct(
    _texts(
        "instance_id instance_uuid id image_id image_uuid image_ref image_ref_url name tenant_id project_id owner user_id "
        "display_name host state vm_state status state_description task_state new_task_state old_state old_task_state "
        "instance_type root_gb created_at launched_at deleted_at terminated_at message request_id floating_ip fixed_ip"
    )
    | {
        "image_meta": pl.Struct(_texts("base_image_ref instance_uuid")),
        "properties": pl.Struct(_texts("base_image_ref instance_uuid user_id")),
        "fixed_ips": _FIXED,
        "exception": pl.Struct(_texts("message") | {"kwargs": pl.Struct(_texts("reason"))}),
        "reason": pl.Struct(_texts("message") | {"kwargs": pl.Struct(_texts("reason"))}),
        "instance_properties": _OF_INSTANCE,
        "args": pl.Struct(_texts("instance_uuid image_ref") | {"instance": _OF_INSTANCE}),
        "weighted_host": pl.Struct(_texts("host")),
        "request_spec": pl.Struct(
            {
                "instance_properties": _OF_INSTANCE,
                "instance_uuids": pl.List(_S),
                "instance_type": pl.Struct(_texts("name root_gb")),
                "image": pl.Struct(_texts("id")),
            }
        ),
        "port": pl.Struct(
            _texts("id device_id device_owner mac_address tenant_id binding:host_id status") | {"fixed_ips": _FIXED}
        ),
        "floatingip": pl.Struct(_texts("fixed_ip_address floating_ip_address tenant_id")),
        "nova_object.name": _S(),
        "nova_object.data": _VERSIONED,
    }
)
_BODY: Schema = {
    **_texts(
        "message_id publisher_id event_type priority timestamp generated _context_request_id _context_user_id "
        "_context_user _context_project_id _context_tenant_id _context_tenant _context_timestamp"
    ),
    "metadata": pl.Struct(_texts("message_id timestamp")),
    "ctxt": pl.Struct(_texts("request_id user_id user project_id tenant timestamp")),
    "payload": _PAYLOAD,
}  # fmt: skip


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
    bare = peeled(texts)
    read = decoded(bare["body"], _BODY)
    fallbacks = {name: places[name] if name in places.columns else None for name in (*_FALLBACKS, "when_ns")}
    frame = read.with_columns(
        bare["routing_key"].alias("key"),
        bare["body"].alias("body"),
        payloads(bare["body"]).alias("payload_text"),
        *(
            (pl.lit(None) if values is None else pl.lit(values)).cast(_kind(name), strict=False).alias(f"_{name}")
            for name, values in fallbacks.items()
        ),
    ).with_columns(
        event=_told("event_type", "_event_type"),
        publisher=_told("publisher_id", "_publisher_id"),
    )
    event = pl.col("event").fill_null("")
    frame = frame.with_columns(
        of_image=event.str.starts_with("image."),
        about=_p("nova_object.name").fill_null("").str.starts_with("Instance") | event.str.starts_with("instance."),
        string=pl.col("payload_text").str.extract(r'^"([0-9a-fA-F-]{36})"$'),
        **{READABLE: pl.any_horizontal(pl.col(name).is_not_null() for name in ("event_type", "payload_text"))},
    )
    frame = frame.with_columns(_columns()).with_columns(_parts_of_publisher())
    frame = frame.with_columns(_error(), _addresses("macs"), _addresses("ips"))
    instants = [_instants(frame[name]).alias(name) for name in _INSTANTS]
    stated = _instants(frame["stamp"])
    given = frame["_when_ns"].cast(pl.Datetime("ns", "UTC"))
    context = _instants(frame["context_stamp"])
    frame = frame.drop(_INSTANTS).with_columns(
        *instants, ts=stated.zip_with(stated.is_not_null(), given).zip_with(
            stated.is_not_null() | given.is_not_null(), context
        ),
    )  # fmt: skip
    frame = frame.with_columns(places.select("source", "position", "offset_bytes", "length_bytes"))
    return frame.select(
        *(pl.col(name).cast(kind, strict=False) for name, kind in Notification.polars_schema().items()), READABLE
    )


_INSTANTS = ("created_at", "launched_at", "terminated_at", "deleted_at")


def _kind(name: str) -> pl.DataType:
    return pl.Int64() if name in ("raw_id", "when_ns") else pl.String()


def _p(path: str) -> pl.Expr:
    """A field of the payload."""
    return _field(pl.col("payload"), path)


def _v(path: str) -> pl.Expr:
    """A field of a versioned payload; ``/`` steps into an object."""
    return _field(pl.col("payload").struct.field("nova_object.data"), path)


def _field(of: pl.Expr, path: str) -> pl.Expr:
    for name in path.split("/"):
        of = of.struct.field("nova_object.data" if name == "*" else name)
    return of


def _told(*fields: str | pl.Expr) -> pl.Expr:
    """The first that says something."""
    each = [pl.col(field) if isinstance(field, str) else field for field in fields]
    return pl.coalesce(pl.when(one.is_in(_UNSET).not_()).then(one) for one in each)


def _all(*paths: str) -> list[pl.Expr]:
    return [_p(path) for path in paths]


def _columns() -> list[pl.Expr]:
    """Columns that are texts, from wherever services and releases put them."""
    image_of_event = pl.when("of_image").then(_told("string", _p("id"), _p("image_id")))
    owner = _p("port/device_owner").fill_null("compute:").str.starts_with("compute")
    spec = "request_spec/instance_properties/"
    url = _told(_p("image_ref_url")).str.strip_chars_end("/").str.split("/").list.last()
    flavor_gb = _told(_p("root_gb"), _v("flavor/*/root_gb"), *_all(
        "request_spec/instance_type/root_gb", "instance_properties/root_gb", f"{spec}root_gb", "args/instance/root_gb"
    ))  # fmt: skip
    return [
        pl.col("event").alias("event_type"),
        pl.col("publisher").alias("publisher_id"),
        _told("message_id", _field(pl.col("metadata"), "message_id")).alias("message_id"),
        _told(
            "_context_request_id", _field(pl.col("ctxt"), "request_id"), _v("request_id"), _p("request_id"), "_request_id"
        ).alias("request_id"),
        _told(
            pl.when("about").then(_v("uuid")), _v("instance_uuid"),
            *(pl.when(pl.col("of_image").not_()).then(one) for one in _all("instance_id", "instance_uuid")),
            *_all("instance_properties/uuid", "args/instance/uuid", "args/instance_uuid", f"{spec}uuid"),
            _p("request_spec/instance_uuids").list.first(),
            pl.when(owner).then(_p("port/device_id")), "_instance",
        ).alias("instance"),
        _told(
            image_of_event, url, _v("image_uuid"),
            *_all("image_uuid", "image_ref", "image_id", "image_meta/base_image_ref", "instance_properties/image_ref",
                  "request_spec/image/id", f"{spec}image_ref", "args/instance/image_ref", "args/image_ref"), "_image",
        ).alias("image"),
        _told(
            *_all("user_id", "properties/user_id"), _v("user_id"),
            *_all("instance_properties/user_id", f"{spec}user_id", "args/instance/user_id"),
            "_context_user_id", "_context_user", _field(pl.col("ctxt"), "user_id"), _field(pl.col("ctxt"), "user"),
        ).alias("user_id"),
        _told(
            *_all("tenant_id", "project_id"), _v("tenant_id"), _v("project_id"),
            *_all("owner", "instance_properties/project_id", f"{spec}project_id", "args/instance/project_id",
                  "port/tenant_id", "floatingip/tenant_id"),
            "_context_project_id", "_context_tenant_id", "_context_tenant",
            _field(pl.col("ctxt"), "project_id"), _field(pl.col("ctxt"), "tenant"), "_project_id",
        ).alias("project_id"),
        _told(
            _v("state_update/*/state"), _v("state"),
            *_all("state", "vm_state", "status", "instance_properties/vm_state", f"{spec}vm_state",
                  "args/instance/vm_state"), "_state",
        ).alias("state"),
        _told(
            _v("state_update/*/new_task_state"), _v("task_state"),
            *_all("new_task_state", "state_description", "task_state", "instance_properties/task_state",
                  "args/instance/task_state"), "_task_state",
        ).alias("task_state"),
        _told(_v("state_update/*/old_state"), _p("old_state"), "_old_state").alias("old_state"),
        _told(_v("state_update/*/old_task_state"), _p("old_task_state"), "_old_task_state").alias("old_task_state"),
        _told(
            _p("host"), _v("host"),
            *_all("weighted_host/host", "instance_properties/host", f"{spec}host", "args/instance/host",
                  "port/binding:host_id"),
        ).alias("compute_host"),
        _told(_p("instance_type"), _v("flavor/*/name"), _p("request_spec/instance_type/name")).alias("flavor"),
        flavor_gb.str.extract(r"^(\d{1,9})(?:\.0+)?$").cast(pl.UInt32, strict=False).alias("root_gb"),
        _told(
            _p("display_name"), _v("display_name"), pl.when("of_image").then(_p("name")),
            *_all("instance_properties/display_name", f"{spec}display_name", "args/instance/display_name"),
        ).alias("display_name"),
        _told(*_all("image_meta/base_image_ref", "properties/base_image_ref")).alias("base_image"),
        _told(*_all("image_meta/instance_uuid", "properties/instance_uuid")).alias("source_instance"),
        *(
            _told(_p(name), _v(name), *_all(f"instance_properties/{name}", f"args/instance/{name}")).alias(name)
            for name in _INSTANTS
        ),
        _told("priority").str.to_uppercase().alias("priority"),
        _told("key", "_routing_key").alias("routing_key"),
        pl.col("_deployment").alias("deployment"),
        pl.col("_raw_id").alias("raw_id"),
        pl.col("payload_text").alias("payload"),
        (
            _p("nova_object.data").is_not_null() | _p("nova_object.name").is_not_null()
            | pl.col("publisher").str.contains(r"^[\w-]+:").fill_null(False)
        ).alias("versioned"),
        _told("timestamp", "generated", _field(pl.col("metadata"), "timestamp")).alias("stamp"),
        _told("_context_timestamp", _field(pl.col("ctxt"), "timestamp")).alias("context_stamp"),
        pl.col("payload").alias("inside"),
    ]  # fmt: skip


def _parts_of_publisher() -> list[pl.Expr]:
    """``service.host``, ``service:host`` of versioned ones, and glance's bare host name.

    cinder puts ``@backend#pool`` behind the host, nova's cells ``cell!child@`` before it.
    """
    publisher = pl.col("publisher")
    service = publisher.str.extract(r"^([^.:]+)[.:]")
    bare = service.is_null() | (pl.col("of_image") & service.is_in(_GLANCE).not_())
    host = pl.when(bare).then(publisher).otherwise(publisher.str.extract(r"^[^.:]+[.:](.+)$"))
    alone = (
        pl.when(host.str.contains("!", literal=True)).then(host.str.extract(r"([^@]+)$"))
        .otherwise(host.str.extract(r"^([^@]+)"))
    )  # fmt: skip
    return [
        _told(alone, "_host").alias("host"),
        _told(pl.when(bare.not_()).then(service), "_service").alias("service"),
    ]


def _error() -> pl.Expr:
    inside = pl.col("inside")
    data = inside.struct.field("nova_object.data")
    failed = (
        pl.col("priority").is_in(["ERROR", "CRITICAL"]) | pl.col("event").str.ends_with(".error")
    ).fill_null(False) | inside.struct.field("exception").is_not_null()  # fmt: skip
    string = pl.col("payload_text").str.starts_with('"') & pl.col("string").is_null()
    said = _told(
        _field(data, "fault/*/exception_message"), _field(data, "reason/*/exception_message"),
        _field(data, "exception_message"),
        pl.when(failed).then(
            _told(_field(inside, "exception/message"), _field(inside, "exception/kwargs/reason"),
                  _field(inside, "reason/message"), _field(inside, "reason/kwargs/reason"),
                  _field(inside, "message"),
                  pl.when(failed).then(pl.col("payload_text")).str.json_path_match("$.exception"))
        ),
        pl.when(string).then(pl.col("payload_text")).str.json_path_match("$"),
    )  # fmt: skip
    return said.alias("error")


def _addresses(which: str) -> pl.Expr:
    inside = pl.col("inside")
    data = inside.struct.field("nova_object.data")
    fixed, port = inside.struct.field("fixed_ips"), _field(inside, "port/fixed_ips")
    versioned = data.struct.field("ip_addresses")
    of = pl.element().struct.field
    inner = pl.element().struct.field("nova_object.data").struct.field
    if which == "macs":
        each = [
            fixed.list.eval(of("vif_mac")),
            versioned.list.eval(inner("mac")),
            _one(_field(inside, "port/mac_address")),
        ]
        plain = pl.element().str.to_lowercase().str.replace_all("-", ":", literal=True)
        kept = plain.filter(plain.str.contains(r"^(?:[0-9a-f]{2}:){5}[0-9a-f]{2}$"))
    else:
        floating = pl.element().struct.field("floating_ips").explode().struct.field("address")
        each = [
            fixed.list.eval(pl.coalesce(of("address"), of("ip_address"))),
            versioned.list.eval(inner("address")), port.list.eval(of("ip_address")),
            *(_one(_field(inside, name)) for name in ("fixed_ip", "floatingip/fixed_ip_address")),
            fixed.list.eval(floating),
            *(_one(_field(inside, name)) for name in ("floating_ip", "floatingip/floating_ip_address")),
        ]  # fmt: skip
        kept = pl.element().filter(
            pl.element().str.contains(r"^(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9a-fA-F:.]*:[0-9a-fA-F:.]*)$")
        )
    nothing = pl.lit([], dtype=pl.List(pl.String))
    found = pl.concat_list(one.fill_null(nothing) for one in each).list.eval(kept).list.unique(maintain_order=True)
    if which == "ips":
        found = found.map_batches(_canonical, return_dtype=pl.List(pl.String))
    return pl.when(found.list.len() > 0).then(found).alias(which)


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


def json_text(value: object) -> str | None:
    """JSON text of a value that Python read, as `notification_rows` takes it."""
    return dumps(value)
