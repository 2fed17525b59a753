"""Nova's tables, Cactus to 2026.1."""

from __future__ import annotations

from typing import Any

import polars as pl

from forensics import escape
from forensics.loaders.documents._network_info import interfaces
from forensics.loaders.documents._table import (
    Lookups,
    Table,
    gone,
    hashes,
    integer,
    lower,
    nothing,
    timed,
    told,
    truth,
    word,
)
from forensics.records import Image, Instance, InstanceEvent, InstancePort, Network, Record, ServiceState

_Told = dict[type[Record], pl.DataFrame]
_LIFE = ("created_at", "updated_at", "deleted_at")
# nova/compute/power_state.py: Essex has all, later releases 0, 1, 3, 4, 6 and 7
_POWER = {"0": "nostate", "1": "running", "2": "blocked", "3": "paused", "4": "shutdown", "5": "shutoff",
          "6": "crashed", "7": "suspended", "8": "failed", "9": "building"}  # fmt: skip
_IMAGE = r"([^/?#]+)/?$"
_TELLS = ("compute_id", "hidden", "cleaned", "scheduled_at", "node", "server_name", "local_gb", "vm_state", "root_gb")


def release(table: str, columns: set[str]) -> dict[str, str]:
    """The release of a schema, as ``release`` and ``release_basis``; empty where the columns do not tell.

    References:
        nova/db/sqlalchemy/models.py @ 2011.2 to 20.0.0, nova/db/main/models.py @ 21.0.0 to 33.0.0.

    Examples:
        >>> release("instances", {"vm_state", "root_gb", "node", "scheduled_at", "cleaned"})
        {'release': 'Havana to Kilo', 'release_basis': 'table instances has cleaned and scheduled_at'}
    """
    if table.removeprefix("shadow_") != "instances":
        return {}
    rules = (
        ("2023.2 or later", "compute_id", ""),
        ("Train to 2023.1", "hidden", ""),
        ("Havana to Kilo", "cleaned scheduled_at", ""),
        ("Liberty to Stein", "cleaned", "scheduled_at"),
        ("Grizzly", "node", "cleaned"),
        ("Essex or Folsom", "server_name root_gb", "node"),
        ("Diablo", "local_gb vm_state", "root_gb"),
        ("Cactus or earlier", "local_gb", "vm_state"),
    )
    for name, has, lacks in rules:
        if columns.issuperset(has.split()) and columns.isdisjoint(lacks.split()):
            but = f", not {lacks}" if lacks else ""
            return {"release": name, "release_basis": f"table instances has {' and '.join(has.split())}{but}"}
    return {}


def _instances(frame: pl.DataFrame, lookups: Lookups) -> _Told:
    frame = timed(frame, *_LIFE, "launched_at", "terminated_at").with_columns(
        lower("uuid").alias("uuid"),
        # a uuid, an integer (Essex and before), or the address of one at glance
        image=lower("image_ref").str.extract(_IMAGE),
    )
    frame = lookups.join("ec2", frame, "uuid", {"ec2_id": pl.String()})
    dead = pl.when("@shadow").then(True).otherwise(gone())
    number = integer("id")
    name = pl.lit("instance-") + _hexadecimal(frame["id"].cast(pl.Int64, strict=False))
    return {Instance: told(
        Instance, frame,
        instance="uuid", instance_id=number, instance_name=name, display_name=word("display_name"),
        hostname=word("hostname"), compute_host=word("host"), node=word("node"), user_id=word("user_id"),
        project_id=word("project_id"), image="image", image_hash=pl.lit(hashes(frame["image"])),
        flavor=word("instance_type_id"), memory_mb="memory_mb", vcpus="vcpus",
        root_gb=pl.coalesce("root_gb", "local_gb"), ephemeral_gb="ephemeral_gb", vm_state=word("vm_state"),
        task_state=word("task_state"),
        power_state=pl.coalesce("power_state", "state").replace(_POWER), availability_zone=word("availability_zone"),
        key_name=word("key_name"), is_deleted=dead, is_archived="@shadow", created_at="created_at",
        launched_at="launched_at", terminated_at="terminated_at", deleted_at="deleted_at", updated_at="updated_at",
        ec2_id="ec2_id", database="@database",
    )}  # fmt: skip


def _hexadecimal(numbers: pl.Series) -> pl.Expr:
    """``%08x`` of each number; null where there is none."""
    digits = [None if n is None or n < 0 else f"{n:08x}" for n in numbers.to_list()]
    return pl.lit(pl.Series(digits, dtype=pl.String))


def _mappings(frame: pl.DataFrame, lookups: Lookups) -> _Told:
    lookups.keep("ec2", frame.select(key=lower("uuid"), ec2_id="id"))
    return {}


def _info_caches(frame: pl.DataFrame, lookups: Lookups) -> _Told:  # noqa: ARG001 - a `Shape`
    frame = timed(frame, *_LIFE).with_columns(instance=pl.coalesce(lower("instance_uuid"), lower("instance_id")))
    found = interfaces(frame["network_info"])
    whole = frame.drop("network_info")[found["row"]].hstack(found.drop("row"))
    return {InstancePort: told(
        InstancePort, whole, mac="mac", ip="ip", floating_ip="floating_ip", instance="instance", port="port",
        network="network", tap="tap", bridge="bridge", is_deleted=gone(), created_at="created_at",
        updated_at="updated_at", deleted_at="deleted_at",
    )}  # fmt: skip


def _fixed_ips(frame: pl.DataFrame, lookups: Lookups) -> _Told:
    frame = timed(frame, *_LIFE).with_columns(
        instance=lower("instance_uuid"),
        state=pl.when(truth("leased")).then(pl.lit("leased"))
        .when(truth("reserved")).then(pl.lit("reserved"))
        .when(truth("allocated")).then(pl.lit("allocated"))
        .otherwise(pl.lit("free")),
    )  # fmt: skip
    held = truth("allocated").fill_null(False) & ~gone().fill_null(False)
    lookups.keep("vif", frame.filter(held).select(key="virtual_interface_id", ip="address"))
    lookups.keep("fixed", frame.select(key="id", ip="address", instance="instance", instance_id="instance_id"))
    return {InstancePort: told(
        InstancePort, frame, ip="address", instance="instance", instance_id="instance_id", network="network_id",
        compute_host=word("host"), state="state", is_deleted=gone(), created_at="created_at",
        updated_at="updated_at", deleted_at="deleted_at",
    )}  # fmt: skip


def _floating_ips(frame: pl.DataFrame, lookups: Lookups) -> _Told:
    text = pl.String()
    frame = lookups.join(
        "fixed", timed(frame, *_LIFE), "fixed_ip_id", {"ip": text, "instance": text, "instance_id": text}
    )
    return {InstancePort: told(
        InstancePort, frame, ip="ip", floating_ip="address", instance="instance", instance_id="instance_id",
        project_id=word("project_id"), compute_host=word("host"), is_deleted=gone(), created_at="created_at",
        updated_at="updated_at", deleted_at="deleted_at",
    )}  # fmt: skip


def _virtual_interfaces(frame: pl.DataFrame, lookups: Lookups) -> _Told:
    frame = lookups.join("vif", timed(frame, *_LIFE), "id", {"ip": pl.String()})
    # a deleted interface keeps its address with "/uuid" behind it (Mitaka and later), for the sake of a unique key
    mac = lower("address").str.extract(r"^((?:[0-9a-f]{2}:){5}[0-9a-f]{2})")
    return {InstancePort: told(
        InstancePort, frame, mac=mac, ip="ip", instance=lower("instance_uuid"), instance_id="instance_id",
        port=lower("uuid"), network="network_id", is_deleted=gone(), created_at="created_at",
        updated_at="updated_at", deleted_at="deleted_at",
    )}  # fmt: skip


def _networks(frame: pl.DataFrame, lookups: Lookups) -> _Told:  # noqa: ARG001 - a `Shape`
    return {Network: told(
        Network, frame, network=pl.coalesce(lower("uuid"), "id"), name=word("label"), project_id=word("project_id"),
        cidr=pl.coalesce(word("cidr"), word("cidr_v6")), vlan_id="vlan", bridge=word("bridge"),
        kind=pl.when(pl.col("vlan").is_not_null()).then(pl.lit("vlan")),
        bridge_interface=word("bridge_interface"), gateway=word("gateway"),
        dhcp_server=pl.coalesce(word("dhcp_server"), word("dhcp_start")), mtu_bytes="mtu", compute_host=word("host"),
        is_deleted=gone(),
    )}  # fmt: skip


def _services(frame: pl.DataFrame, lookups: Lookups) -> _Told:  # noqa: ARG001 - a `Shape`
    frame = timed(frame, "updated_at", "last_seen_up", "created_at")
    status = (
        pl.when(gone()).then(pl.lit("deleted"))
        .when(truth("disabled")).then(pl.lit("disabled"))
        .otherwise(pl.lit("enabled"))
    )  # fmt: skip
    return {ServiceState: told(
        ServiceState, frame, service=pl.coalesce(word("binary"), word("topic")), service_host=word("host"),
        state=pl.lit("unknown"), status=status, zone=word("availability_zone"),
        disabled_reason=word("disabled_reason"), forced_down=truth("forced_down"),
        seen_at=pl.coalesce("last_seen_up", "updated_at", "created_at"), told_by=pl.lit("database"),
    )}  # fmt: skip


def _compute_nodes(frame: pl.DataFrame, lookups: Lookups) -> _Told:  # noqa: ARG001 - a `Shape`
    frame = timed(frame, "updated_at", "created_at")
    return {ServiceState: told(
        ServiceState, frame, service=pl.lit("nova-compute"),
        service_host=pl.coalesce(word("host"), word("hypervisor_hostname")), state=pl.lit("unknown"),
        status=pl.when(gone()).then(pl.lit("deleted")), seen_at=pl.coalesce("updated_at", "created_at"),
        told_by=pl.lit("compute_nodes"),
    )}  # fmt: skip


def _masked(text: pl.Series) -> pl.Series:
    return pl.Series([None if one is None else escape.masked(one) for one in text.to_list()], dtype=pl.String)


def _actions(frame: pl.DataFrame, lookups: Lookups) -> _Told:
    frame = timed(frame, "created_at", "start_time").with_columns(instance=lower("instance_uuid"))
    names = ("request_id", "user_id", "project_id", "action", "instance")
    lookups.keep("action", frame.select(pl.col("id").alias("key"), *names))
    said = pl.concat_str(pl.lit("action "), pl.col("action").fill_null("?"), pl.lit(" "),
                         pl.lit(_masked(frame["message"])).fill_null("")).str.strip_chars_end()  # fmt: skip
    return {InstanceEvent: told(
        InstanceEvent, frame, ts=pl.coalesce("start_time", "created_at"), instance="instance",
        event=pl.lit("action"), action=word("action"), request_id=word("request_id"), user_id=word("user_id"),
        project_id=word("project_id"), error=pl.lit(_masked(frame["message"])), message=said,
    )}  # fmt: skip


def _action_events(frame: pl.DataFrame, lookups: Lookups) -> _Told:
    names: dict[str, pl.DataType] = dict.fromkeys(
        ("request_id", "user_id", "project_id", "action", "instance"), pl.String()
    )
    frame = lookups.join("action", timed(frame, "created_at", "start_time", "finish_time"), "action_id", names)
    failed = pl.col("result").str.to_lowercase().str.contains("error|fail")
    last = frame["traceback"].str.strip_chars_end().str.split("\n").list.last()
    error = pl.when(failed).then(pl.coalesce(word("details"), pl.lit(_masked(last))))
    took = (pl.col("finish_time") - pl.col("start_time")).dt.total_seconds()
    said = pl.concat_str(
        pl.lit("event "), pl.col("event").fill_null("?"), pl.lit(" "), pl.col("result").fill_null("unfinished"),
        pl.when(took.is_not_null()).then(pl.concat_str(pl.lit(" after "), took, pl.lit(" s"))).otherwise(pl.lit("")),
    )  # fmt: skip
    return {InstanceEvent: told(
        InstanceEvent, frame, ts=pl.coalesce("start_time", "created_at"), host=pl.coalesce(word("host"), "@host"),
        instance="instance", event=pl.lit("action"), action="action", request_id="request_id", user_id="user_id",
        project_id="project_id", error=error, message=said,
    )}  # fmt: skip


def _faults(frame: pl.DataFrame, lookups: Lookups) -> _Told:  # noqa: ARG001 - a `Shape`
    frame = timed(frame, "created_at")
    said = pl.lit(_masked(frame["message"]))
    return {InstanceEvent: told(
        InstanceEvent, frame, ts="created_at", host=pl.coalesce(word("host"), "@host"),
        instance=pl.coalesce(lower("instance_uuid"), lower("instance_id")), event=pl.lit("fault"), error=said,
        message=pl.concat_str(pl.lit("fault "), pl.col("code").fill_null("?"), pl.lit(" "), said.fill_null("")),
    )}  # fmt: skip


def _s3_images(frame: pl.DataFrame, lookups: Lookups) -> _Told:  # noqa: ARG001 - a `Shape`
    frame = timed(frame, *_LIFE).with_columns(image=lower("uuid"))
    return {Image: told(
        Image, frame, image="image", image_hash=pl.lit(hashes(frame["image"])), ec2_id="id", is_deleted=gone(),
        created_at="created_at", updated_at="updated_at", deleted_at="deleted_at",
    )}  # fmt: skip


def _both(name: str) -> tuple[str, str]:
    return name, f"shadow_{name}"


def _columns(names: str, *more: str) -> tuple[str, ...]:
    return (*names.split(), *more)


def _table(name: str, record: Any, marks: str, needs: str, shape: Any, **rest: Any) -> Table:
    return Table(_both(name), (record,), _columns(marks), _columns(needs, *_LIFE, "deleted"), shape, **rest)


TABLES: tuple[Table, ...] = (
    _table(
        "instances", Instance, "id image_ref", "id uuid display_name hostname host node user_id project_id image_ref "
        "instance_type_id memory_mb vcpus root_gb local_gb ephemeral_gb vm_state task_state power_state state "
        "availability_zone key_name launched_at terminated_at", _instances, alone=("uuid", "vm_state"),
        by="vm_state", tells=_TELLS,
    ),
    Table(_both("instance_id_mappings"), (), ("id", "uuid"), ("id", "uuid", "deleted"), _mappings, keeps="ec2"),
    _table("instance_info_caches", InstancePort, "network_info", "instance_uuid instance_id network_info",
           _info_caches, alone=("network_info",)),
    _table("fixed_ips", InstancePort, "address virtual_interface_id", "id address network_id virtual_interface_id "
           "instance_id instance_uuid allocated leased reserved host", _fixed_ips, keeps="ips",
           alone=("address", "virtual_interface_id", "allocated")),
    _table("floating_ips", InstancePort, "address fixed_ip_id", "id address fixed_ip_id project_id host",
           _floating_ips, alone=("address", "fixed_ip_id", "project_id")),
    _table("virtual_interfaces", InstancePort, "address network_id", "id address network_id instance_id "
           "instance_uuid uuid", _virtual_interfaces, alone=("address", "network_id", "instance_uuid", "uuid")),
    _table("networks", Network, "bridge", "id uuid label project_id cidr cidr_v6 vlan bridge bridge_interface gateway "
           "dhcp_server dhcp_start mtu host", _networks, alone=("bridge", "bridge_interface", "vlan")),
    _table("services", ServiceState, "host binary", "host binary topic disabled availability_zone disabled_reason "
           "last_seen_up forced_down", _services, alone=("host", "binary", "topic", "report_count")),
    _table("compute_nodes", ServiceState, "hypervisor_hostname", "host hypervisor_hostname", _compute_nodes,
           alone=("hypervisor_hostname", "vcpus_used")),
    _table("instance_actions", InstanceEvent, "action request_id", "id action instance_uuid request_id user_id "
           "project_id start_time message", _actions, keeps="actions", alone=("action", "request_id", "instance_uuid")),
    _table("instance_actions_events", InstanceEvent, "event action_id", "event action_id start_time finish_time "
           "result traceback host details", _action_events, alone=("event", "action_id", "result")),
    _table("instance_faults", InstanceEvent, "code message", "instance_uuid instance_id code message host", _faults,
           alone=("code", "message", "instance_uuid")),
    _table("s3_images", Image, "id uuid", "id uuid", _s3_images),
    Table(_both("instance_system_metadata"), (), ("key",), ("key", "deleted"), nothing, by="key",
          only=("EC2_client_token",)),
)  # fmt: skip
