"""Where services and releases put what a notification tells: the schema of its JSON, and columns made of it."""

from __future__ import annotations

from functools import cache

import polars as pl

from forensics.loaders.documents._notification_text import Schema

INSTANTS = ("created_at", "launched_at", "terminated_at", "deleted_at")
_OBJECT = "nova_object.data"


def _texts(names: str) -> dict[str, pl.DataType]:
    return dict.fromkeys(names.split(), pl.String())


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
_FIXED = pl.List(pl.Struct(_texts("address ip_address vif_mac")))
_FLOATING = pl.List(
    pl.Struct(_texts("address ip_address vif_mac") | {"floating_ips": pl.List(pl.Struct(_texts("address")))})
)
_PLAIN = _texts(
    "instance_id instance_uuid id image_id image_uuid image_ref image_ref_url name tenant_id project_id owner "
    "user_id display_name host state vm_state status state_description task_state new_task_state old_state "
    "old_task_state instance_type root_gb created_at launched_at deleted_at terminated_at message request_id "
    "floating_ip fixed_ip"
) | {"image_meta": pl.Struct(_texts("base_image_ref instance_uuid")), "fixed_ips": _FIXED}
_TROUBLE = pl.Struct(_texts("message") | {"kwargs": pl.Struct(_texts("reason"))})
_RARE = {
    "properties": pl.Struct(_texts("base_image_ref instance_uuid user_id")),
    "exception": _TROUBLE,
    "reason": _TROUBLE,
    "instance_properties": _OF_INSTANCE,
    "args": pl.Struct(_texts("instance_uuid image_ref") | {"instance": _OF_INSTANCE}),
    "weighted_host": pl.Struct(_texts("host")),
    "request_spec": pl.Struct(
        {
            "instance_properties": _OF_INSTANCE,
            "instance_uuids": pl.List(pl.String),
            "instance_type": pl.Struct(_texts("name root_gb")),
            "image": pl.Struct(_texts("id")),
        }
    ),
    "port": pl.Struct(
        _texts("id device_id device_owner mac_address tenant_id binding:host_id status") | {"fixed_ips": _FIXED}
    ),
    "floatingip": pl.Struct(_texts("fixed_ip_address floating_ip_address tenant_id")),
    "nova_object.name": pl.String(),
    "nova_object.data": _VERSIONED,
}
RARE_NAMES = (*_RARE, "ctxt")
RARE = "|".join([f'"{name}"' for name in RARE_NAMES] + [r'"floating_ips"\s*:\s*\[\s*\{'])
"""Pattern of a body that wants `FULL`."""
_BODY = _texts(
    "message_id publisher_id event_type priority timestamp generated _context_request_id _context_user_id "
    "_context_user _context_project_id _context_tenant_id _context_tenant _context_timestamp"
)
LEAN: Schema = _BODY | {"payload": pl.Struct(_PLAIN)}
FULL: Schema = _BODY | {
    "payload": pl.Struct(_PLAIN | _RARE | {"fixed_ips": _FLOATING}),
    "metadata": pl.Struct(_texts("message_id timestamp")),
    "ctxt": pl.Struct(_texts("request_id user_id user project_id tenant timestamp")),
}

_SPEC = "request_spec/instance_properties"
# Where a column is told, first place first: a path in the payload; =COLUMN of the frame; ^PATH beside the payload;
# *PATH in a payload that is an object of nova's. In a path, * steps into the data of such an object.
PLACES = {
    "event_type": "=event",
    "publisher_id": "=publisher",
    "message_id": "=message_id ^metadata/message_id",
    "request_id": "=_context_request_id ^ctxt/request_id *request_id request_id =_request_id",
    "instance": "=of_object *instance_uuid =of_usage instance_properties/uuid args/instance/uuid args/instance_uuid "
    f"{_SPEC}/uuid =of_spec =of_port =_instance",
    "image": "=of_event =of_url *image_uuid image_uuid image_ref image_id image_meta/base_image_ref "
    f"instance_properties/image_ref request_spec/image/id {_SPEC}/image_ref args/instance/image_ref args/image_ref "
    "=_image",
    "user_id": "user_id properties/user_id *user_id instance_properties/user_id "
    f"{_SPEC}/user_id args/instance/user_id =_context_user_id =_context_user ^ctxt/user_id ^ctxt/user",
    "project_id": "tenant_id project_id *tenant_id *project_id owner instance_properties/project_id "
    f"{_SPEC}/project_id args/instance/project_id port/tenant_id floatingip/tenant_id =_context_project_id "
    "=_context_tenant_id =_context_tenant ^ctxt/project_id ^ctxt/tenant =_project_id",
    "state": "*state_update/*/state *state state vm_state status instance_properties/vm_state "
    f"{_SPEC}/vm_state args/instance/vm_state =_state",
    "task_state": "*state_update/*/new_task_state *task_state new_task_state state_description task_state "
    "instance_properties/task_state args/instance/task_state =_task_state",
    "old_state": "*state_update/*/old_state old_state =_old_state",
    "old_task_state": "*state_update/*/old_task_state old_task_state =_old_task_state",
    "compute_host": "host *host weighted_host/host instance_properties/host "
    f"{_SPEC}/host args/instance/host port/binding:host_id",
    "flavor": "instance_type *flavor/*/name request_spec/instance_type/name",
    "root_gb": "root_gb *flavor/*/root_gb request_spec/instance_type/root_gb instance_properties/root_gb "
    f"{_SPEC}/root_gb args/instance/root_gb",
    "display_name": "display_name *display_name =name_of_image instance_properties/display_name "
    f"{_SPEC}/display_name args/instance/display_name",
    "base_image": "image_meta/base_image_ref properties/base_image_ref",
    "source_instance": "image_meta/instance_uuid properties/instance_uuid",
    "priority": "=priority",
    "routing_key": "=key =_routing_key",
    "stamp": "=timestamp =generated ^metadata/timestamp",
    "context_stamp": "=_context_timestamp ^ctxt/timestamp",
    "fault": "*fault/*/exception_message *reason/*/exception_message *exception_message",
    "complaint": "exception/message exception/kwargs/reason reason/message reason/kwargs/reason message",
    **{name: f"{name} *{name} instance_properties/{name} args/instance/{name}" for name in INSTANTS},
}
"""By column, and by what some are made of: see above."""


@cache
def columns(full: bool) -> tuple[list[pl.Expr], list[pl.Expr]]:
    """What tells something under conditions, and then the columns that are texts.

    Args:
        full: Whether the bodies were read with `FULL`, else with `LEAN`.
    """
    of_image = pl.col("event").str.starts_with("image.").fill_null(False)
    usage = told(_at("instance_id", full), _at("instance_uuid", full))
    url = told(_at("image_ref_url", full)).str.strip_chars_end("/").str.split("/").list.last()
    uuid = pl.col("payload_text").str.extract(r'^"([0-9a-fA-F-]{36})"$')  # glance to Folsom told no more of a deletion
    nothing = pl.lit(None, pl.String)
    of_object, of_spec, of_port = nothing, nothing, nothing
    versioned = pl.col("publisher").str.contains(r"^[\w-]+:").fill_null(False)
    if full:
        about = pl.col("event").str.starts_with("instance.") | _payload("nova_object.name").str.starts_with("Instance")
        of_object = pl.when(about).then(_payload(f"{_OBJECT}/uuid"))
        of_spec = _payload("request_spec/instance_uuids").list.first()
        of_compute = _payload("port/device_owner").fill_null("compute:").str.starts_with("compute")
        of_port = pl.when(of_compute).then(_payload("port/device_id"))
        versioned |= _payload(_OBJECT).is_not_null() | _payload("nova_object.name").is_not_null()
    first = {
        "of_event": pl.when(of_image).then(told(uuid, _at("id", full), _at("image_id", full))),
        "name_of_image": pl.when(of_image).then(_at("name", full)),
        "of_usage": pl.when(of_image.not_()).then(usage),
        "of_url": url,
        "of_object": of_object,
        "of_spec": of_spec,
        "of_port": of_port,
        "of_image": of_image,
        "uuid_alone": uuid,
        "versioned": versioned,
    }
    then = {name: told(*(_at(place, full) for place in places.split())) for name, places in PLACES.items()}
    then["root_gb"] = then["root_gb"].str.extract(r"^(\d{1,9})(?:\.0+)?$").cast(pl.UInt32, strict=False)
    then["priority"] = then["priority"].str.to_uppercase()
    then["deployment"], then["raw_id"] = pl.col("_deployment"), pl.col("_raw_id")
    then["inside"] = pl.col("payload")
    return [one.alias(name) for name, one in first.items()], [one.alias(name) for name, one in then.items()]


def _at(place: str, full: bool) -> pl.Expr | None:
    """A place of `PLACES`; None where only `FULL` has it."""
    if place[0] == "=":
        return pl.col(place[1:])
    root, _, rest = path_of(place).partition("/")
    if root != "payload":
        return pl.col(root).struct.field(rest) if full else None
    return _payload(rest) if full or rest.split("/")[0] not in _RARE else None


def path_of(place: str) -> str:
    """A place of `PLACES` as a path from the top of a notification; what begins with ``=`` as it is.

    Examples:
        >>> path_of("*fault/*/exception_message"), path_of("^ctxt/user"), path_of("host")
        ('payload/nova_object.data/fault/nova_object.data/exception_message', 'ctxt/user', 'payload/host')
    """
    if place[0] in "=^":
        return place.removeprefix("^")
    of_object = f"{_OBJECT}/{place[1:]}" if place[0] == "*" else place
    return "payload/" + of_object.replace("*", _OBJECT)


def _payload(path: str) -> pl.Expr:
    return field(pl.col("payload"), path)


def field(of: pl.Expr, path: str) -> pl.Expr:
    """A field of a structure; ``/`` steps into one, ``*`` into the data of an object of nova's."""
    for name in path.split("/"):
        of = of.struct.field(_OBJECT if name == "*" else name)
    return of


def told(*fields: pl.Expr | None) -> pl.Expr:
    """The first that says something."""
    each = [pl.when(one != "").then(one) for one in fields if one is not None]
    return pl.coalesce(each) if each else pl.lit(None, pl.String)
